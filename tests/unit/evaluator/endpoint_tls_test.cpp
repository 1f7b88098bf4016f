#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "evaluator/endpoint/http_connection.hpp"
#include "tests/support/scratch_folder.hpp"
#include "tests/support/tls_server.hpp"

namespace crucible::endpoint {
namespace {

Result<HttpAnswer> get(const std::string& url, const std::string& ca_file) {
  ConnectionOptions options;
  options.url = *parse_url(url);
  options.allow_private = true;
  options.ca_file = ca_file;
  HttpConnection connection(options);
  return connection.request("/v1/models", "", {});
}

TEST(EndpointTls, TrustsTheCertificateItWasGiven) {
  const test::ScratchFolder folder;
  const test::TlsServer server(folder.path());
  const auto answer = get(server.url("localhost"), server.certificate_file());
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->status, 200);
  EXPECT_EQ(answer->body, "{}");
}

TEST(EndpointTls, RefusesUnknownCertificates) {
  const test::ScratchFolder folder;
  const test::TlsServer server(folder.path());
  const auto answer = get(server.url("localhost"), "");
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, ErrorCode::kPermission);
  EXPECT_THAT(answer.error().message, ::testing::HasSubstr("does not verify"));
}

TEST(EndpointTls, RefusesCertificatesOfOtherHosts) {
  const test::ScratchFolder folder;
  const test::TlsServer server(folder.path());
  const auto answer = get(server.url("127.0.0.1"), server.certificate_file());
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, ErrorCode::kPermission);
}

TEST(EndpointTls, PlainServersAreNoTlsServers) {
  const test::ScratchFolder folder;
  const test::TlsServer server(folder.path());
  std::string url = server.url("localhost");
  url.erase(4, 1);  // http://
  EXPECT_FALSE(get(url, ""));
}

}  // namespace
}  // namespace crucible::endpoint
