#pragma once

#include "server/search/document.hpp"
#include "server/search/field_reading.hpp"

namespace crucible::server::search {

// Fills document.variables, document.sampler.space and document.standard from `space` and
// `constraints`. Faults of both are noted; the space is only made where there are none.
void read_space(const Fields& document_fields, Document& document, std::vector<Fault>& faults);

// document.sampler's method, seed and budget from `sampler`.
void read_sampler(const Fields& document_fields, Document& document, std::vector<Fault>& faults);

}  // namespace crucible::server::search
