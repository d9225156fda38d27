#pragma once

#include <string>
#include <utility>

#include <hrm/io/huggingface.hpp>

#include "runs.hpp"
#include "texts.hpp"

namespace hrm::examples {

/// The base that ships with the examples: a folder as Hugging Face writes it.
inline std::string default_base() { return HRM_EXAMPLES_DATA "/kjv-base"; }

/// The frozen base and the text it is adapted to: a file of the user's, or Eigen's headers.
inline arena make_arena(const std::string& base, const std::string& text) {
    auto t = text.empty() ? eigen_headers() : texts_of_file(text);
    return {load_huggingface<float>(base), corpus(std::move(t.train)), corpus(std::move(t.validation)), corpus(std::move(t.test)), t.what};
}

}  // namespace hrm::examples
