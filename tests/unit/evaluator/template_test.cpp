#include "evaluator/template/template.hpp"

#include <sys/resource.h>

#include <ctime>
#include <string>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace crucible::templating {
namespace {

using testing::HasSubstr;

Result<std::string> render(const std::string& source, Dialect dialect = Dialect::kTask,
                           const Json& variables = Json::object(), const Budget& budget = {}) {
  auto compiled = Template::compile(source, dialect);
  if (!compiled) return fail(std::move(compiled.error()));
  return compiled->render(variables, budget);
}

std::string repeated(const std::string& text, int count) {
  std::string all;
  for (int i = 0; i < count; ++i) all += text;
  return all;
}

TEST(Template, RendersWithItsVariables) {
  const auto text =
      render("{{ question }} {{ choices[1] }} {{ n }} {{ missing|default('-') }}", Dialect::kTask,
             {{"question", "Wie?"}, {"choices", {"a", "b"}}, {"n", nullptr}});
  ASSERT_TRUE(text) << describe(text.error());
  EXPECT_EQ(*text, "Wie? b None -");
}

TEST(Template, DialectsDifferInUndefinedAndWhitespace) {
  const std::string source = "{% if true %}\n{{ missing }}x\n{% endif %}\n";
  EXPECT_FALSE(render(source, Dialect::kTask));
  const auto chat = render(source, Dialect::kChat);
  ASSERT_TRUE(chat);
  EXPECT_EQ(*chat, "x\n");
}

TEST(Template, ErrorsNameTheLine) {
  const auto undefined = render("a\nb\n{{ missing }}");
  ASSERT_FALSE(undefined);
  EXPECT_EQ(undefined.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(describe(undefined.error()), HasSubstr("line 3: 'missing' is undefined"));
  const auto syntax = render("a\n{% if %}");
  ASSERT_FALSE(syntax);
  EXPECT_THAT(describe(syntax.error()), HasSubstr("line 2"));
  const auto raised = render("{{ raise_exception('roles must alternate') }}", Dialect::kChat);
  ASSERT_FALSE(raised);
  EXPECT_THAT(describe(raised.error()), HasSubstr("roles must alternate"));
}

TEST(Template, ChatTemplatesCannotReachPython) {
  for (const char* source :
       {"{{ ''.__class__ }}", "{{ {}.__class__.__mro__ }}", "{{ namespace(_a=1) }}"}) {
    const auto rendered = render(source, Dialect::kChat);
    EXPECT_TRUE(!rendered || rendered->empty()) << source << ": " << *rendered;
  }
  EXPECT_FALSE(render("{{ messages.append(1) }}", Dialect::kChat, {{"messages", {1}}}));
}

TEST(Template, FloatsKeepEveryDigit) {
  const auto text = render("{{ x }}", Dialect::kTask, {{"x", 9.880453745884095}});
  ASSERT_TRUE(text);
  EXPECT_EQ(*text, "9.880453745884095");
}

TEST(Template, ManyThreadsRenderOneTemplate) {
  const auto compiled = Template::compile(
      "{% macro m(a) %}[{{ a }}]{% endmacro %}{% for i in range(n) %}{{ m(i) }}{% endfor %}",
      Dialect::kTask);
  ASSERT_TRUE(compiled);
  std::vector<std::string> texts(8);
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < texts.size(); ++i) {
      threads.emplace_back([&, i] { texts[i] = compiled->render({{"n", i}}).value_or("failed"); });
    }
  }
  EXPECT_EQ(texts[0], "");
  EXPECT_EQ(texts[3], "[0][1][2]");
  EXPECT_EQ(texts[7], "[0][1][2][3][4][5][6]");
}

TEST(Template, BudgetsAreTheCallers) {
  const std::string source = "{% for i in range(1000) %}xxxxxxxxxx{% endfor %}";
  EXPECT_TRUE(render(source));
  const auto steps = render(source, Dialect::kTask, Json::object(), {.steps = 100});
  ASSERT_FALSE(steps);
  EXPECT_EQ(steps.error().code, ErrorCode::kUnsupported);
  EXPECT_FALSE(render(source, Dialect::kTask, Json::object(), {.output_bytes = 5000}));
  EXPECT_FALSE(render(source, Dialect::kTask, Json::object(), {.memory_bytes = 5000}));
}

// What a stranger's template may try. Each ends soon, in an error, whatever the dialect.
const std::vector<std::string> kHostile = {
    "{% for i in range(90000) %}{% for j in range(90000) %}x{% endfor %}{% endfor %}",
    "{% for i in range(10**12) %}{% endfor %}",
    "{{ range(10**12)|list }}",
    "{% for i in [1] recursive %}{{ loop([1]) }}{% endfor %}",
    "{% for i in range(90000) %}{{ 'x' * 1000 }}{% endfor %}",
    "{% set ns = namespace(x='ab') %}{% for i in range(99) %}{% set ns.x = ns.x ~ ns.x %}"
    "{% endfor %}",
    "{% set ns = namespace(x=[1]) %}{% for i in range(99) %}{% set ns.x = ns.x + ns.x %}"
    "{% endfor %}",
    "{{ 'a' * 10**9 }}",
    "{{ 'a' * 10**30 }}",
    "{{ [1] * 10**9 }}",
    "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    "{% macro a() %}{{ b() }}{% endmacro %}{% macro b() %}{{ a() }}{% endmacro %}{{ a() }}",
    "{% macro m(x) %}{{ m(x ~ x) }}{% endmacro %}{{ m('a') }}",
    "{% macro m() %}{% call m() %}{{ caller() }}{% endcall %}{% endmacro %}{{ m() }}",
    "{{ 'a'.center(10**12) }}",
    "{{ 'a'.zfill(10**12) }}",
    "{{ '{:>1000000000}'.format('a') }}",
    "{{ '%1000000000d' % 1 }}",
    "{{ '%*d' % (10**12, 1) }}",
    "{% for i in range(90000) %}{{ '%1000000d' % 1 }}{% endfor %}",
    "{{ 'abc'|batch(10**9, 'x')|list }}",
    "{{ 'abc'|slice(10**9)|list }}",
    "{% set t = 'a\n' * 100000 %}{{ t|indent(60000) }}",
    "{% set t = 'a' * 100000 %}{{ t|replace('a', t) }}",
    "{% set t = 'a' * 100000 %}{{ t|join(t) }}",
    "{% set t = '\t' * 100000 %}{{ t.expandtabs(100000) }}",
    "{{ ([[[[1]]]] * 100000)|tojson(indent=100) }}",
    "{{ 10 ** 10 ** 10 }}",
    "{{ 170141183460469231731687303715884105727 + 1 }}",
    "{{ (-170141183460469231731687303715884105727 - 1) // -1 }}",
    "{{ 99999999999999999999999999999999999999999999 }}",
    "{% set ns = namespace(x=[]) %}{% for i in range(99999) %}{% set ns.x = [ns.x] %}{% endfor %}"
    "{{ ns.x }}",
    "{% set ns = namespace(x={}) %}{% for i in range(99999) %}{% set ns.x = {'a': ns.x} %}"
    "{% endfor %}{{ ns.x|tojson }}",
    // Every list holds the one before it twice: 2^90 values.
    "{% set ns = namespace(x=[1], y=[1]) %}{% for i in range(90) %}{% set ns.x = [ns.x, ns.x] %}"
    "{% set ns.y = [ns.y, ns.y] %}{% endfor %}{{ ns.x == ns.y }}",
    "{% set ns = namespace(x=[1]) %}{% for i in range(90) %}{% set ns.x = [ns.x, ns.x] %}"
    "{% endfor %}{{ ns.x }}",
    "{% set ns = namespace(x=(1,)) %}{% for i in range(60) %}{% set ns.x = (ns.x, ns.x) %}"
    "{% endfor %}{{ {ns.x: 1} }}",
    "{% set t = 'k' * 1000000 %}{% set d = {t: 1} %}{% for i in range(99999) %}"
    "{% set x = d[t] %}{% endfor %}",
    "{% set t = 'a' * 10000000 %}{% set u = 'a' * 10000000 %}{% for i in range(99999) %}"
    "{% if t == u %}{% endif %}{% endfor %}",
    "{% set t = 'a' * 1000000 %}{% for i in range(99999) %}{% set u = t|upper %}{% endfor %}",
    "{% for i in range(99999) %}{% for j in range(99999) %}{% macro m() %}{% endmacro %}"
    "{% endfor %}{% endfor %}",
    "{{ " + repeated("(", 100000) + "1" + repeated(")", 100000) + " }}",
    "{{ " + repeated("[", 100000) + " }}",
    "{{ " + repeated("-", 100000) + "1 }}",
    repeated("{% if 1 %}", 100000),
    "{{ 1" + repeated(" if 1 else 1", 100000) + " }}",
    std::string(5 << 20, 'a'),
    "{% raw %}" + repeated("{% ", 500000),
    "{{ 'abc",
    "{{ '" + repeated("\\", 1000001),
};

// Only task templates have regular expressions, and lists that can be changed.
const std::vector<std::string> kHostileTasks = {
    "{{ ('a' * 30)|regex_replace('(a+)+b', 'x') }}",
    "{{ ('a' * 100000)|regex_replace('(a+)+b', 'x') }}",
    "{{ ('ab' * 50000)|regex_replace('b(?=.*c)', 'x') }}",
    "{{ 'a'|regex_replace('(' * 9000, 'x') }}",
    "{{ 'a'|regex_replace('(?:' * 2000 + 'a' + '){2}' * 2000, 'x') }}",
    "{{ 'a'|regex_replace('a' * 20000, 'x') }}",
    "{{ ('a' * 2000000)|regex_replace('a', 'x') }}",
    "{{ ('a' * 100000)|regex_replace('', 'x' * 1000) }}",
    "{% set l = [] %}{% for i in range(10**6) %}{% set _ = l.extend(l or [1]) %}{% endfor %}",
    "{% set l = [0] * 1000000 %}{% for i in range(99999) %}{% set _ = l.insert(0, 1) %}"
    "{% endfor %}",
    "{% set l = [] %}{% set _ = l.append(l) %}{{ l }}",
    "{% set l = [] %}{% set _ = l.append(l) %}{{ l == l }}",
};

// Of this thread: other processes may be busy.
double processor_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

double peak_megabytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

void expect_ends_in_an_error(const std::string& source, Dialect dialect) {
  SCOPED_TRACE(source.substr(0, 120));
  const double start = processor_seconds();
  const auto rendered = render(source, dialect);
  const double seconds = processor_seconds() - start;
  EXPECT_FALSE(rendered) << rendered->substr(0, 100);
  const std::string message = rendered ? "" : describe(rendered.error());
  EXPECT_THAT(message, testing::Not(HasSubstr("internal error")));
  EXPECT_LT(seconds, 2.0);
}

TEST(HostileTemplates, EndInAnErrorSoonWithinBoundedMemory) {
  const double before = peak_megabytes();
  for (const std::string& source : kHostile) {
    expect_ends_in_an_error(source, Dialect::kTask);
    expect_ends_in_an_error(source, Dialect::kChat);
  }
  for (const std::string& source : kHostileTasks) {
    expect_ends_in_an_error(source, Dialect::kTask);
  }
  EXPECT_LT(peak_megabytes() - before, 600);
}

TEST(HostileTemplates, ExtremeNumbersAreOnlyNumbers) {
  struct Case {
    const char* source;
    const char* text;
  };
  for (const Case& one : {
           Case{"{{ 'abc'[-(10**30):10**30:10**30] }}", "a"},
           Case{"{{ [1, 2, 3][::-(10**30)] }}", "[3]"},
           Case{"{{ range(10)[::9223372036854775807][::9223372036854775807]"
                "[::9223372036854775807]|list }}",
                "[0]"},
           Case{"{{ range(-(10**18), 10**18, 7)[-1] }}", "999999999999999998"},
           Case{"{{ 'a' * -(10**30) }}|{{ 'a'.center(-(10**30)) }}", "|a"},
           Case{"{{ ('%.100000f' % 1.5)|length }}", "100002"},
           Case{"{{ 1e300|int }}", nullptr},
           Case{"{{ 5|round(-400) }}", nullptr},
       }) {
    const auto rendered = render(one.source);
    if (one.text == nullptr) continue;  // no crash
    ASSERT_TRUE(rendered) << one.source << ": " << describe(rendered.error());
    EXPECT_EQ(*rendered, one.text) << one.source;
  }
}

TEST(HostileTemplates, DeepVariablesAreAnError) {
  Json deep = 1;
  for (int i = 0; i < 200000; ++i) deep = Json::array({std::move(deep)});
  const auto rendered = render("{{ x is defined }}", Dialect::kTask, {{"x", std::move(deep)}});
  ASSERT_FALSE(rendered);
  EXPECT_THAT(describe(rendered.error()), HasSubstr("nested"));
}

TEST(PythonText, IsReadAndWritten) {
  const auto value = parse_python_literal("{'a': [1, 2.5, None, True], 'b': ('x', \"it's\")}");
  ASSERT_TRUE(value) << describe(value.error());
  EXPECT_EQ(*value, Json::parse(R"({"a": [1, 2.5, null, true], "b": ["x", "it's"]})"));
  EXPECT_EQ(python_repr(*value), "{'a': [1, 2.5, None, True], 'b': ['x', \"it's\"]}");
  EXPECT_EQ(python_str("text"), "text");
  EXPECT_EQ(python_repr("text"), "'text'");
  for (const std::string& bad : {std::string("os.system('x')"), std::string("[1"),
                                 repeated("[", 100000), std::string("1 + 1"), std::string()}) {
    EXPECT_FALSE(parse_python_literal(bad)) << bad.substr(0, 20);
  }
}

}  // namespace
}  // namespace crucible::templating
