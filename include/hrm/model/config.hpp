#pragma once

#include <string>
#include <string_view>

#include <hrm/adapter/site.hpp>
#include <hrm/core/error.hpp>
#include <hrm/core/scalar.hpp>

namespace hrm {

/// The shape of a Mistral-style decoder. Mistral-7B: {32000, 4096, 32, 32, 8, 128, 14336, 4096, 1e-5, 10000, false}.
struct transformer_config {
    index_t vocabulary = 256;
    index_t width = 128;       ///< of the residual stream
    index_t layers = 4;
    index_t heads = 4;         ///< query heads
    index_t kv_heads = 2;      ///< key and value heads; divides heads
    index_t head_width = 32;   ///< even, for the rotation
    index_t hidden = 384;      ///< of the MLP
    index_t window = 0;        ///< keys a query sees, itself included; 0: all before it
    double rms_eps = 1e-5;
    double rope_theta = 10000;
    bool tied = false;         ///< the head is the embedding

    index_t query_width() const { return heads * head_width; }
    index_t key_width() const { return kv_heads * head_width; }
    friend bool operator==(const transformer_config&, const transformer_config&) = default;
};

/// Throws shape_error naming the first extent that makes no transformer.
inline void check(const transformer_config& c) {
    const auto fail = [](const std::string& what) { throw shape_error("hrm::transformer_config: " + what); };
    const auto positive = [&](std::string_view name, index_t n) {
        if (n < 1) fail(std::string(name) + " is " + std::to_string(n) + ", expected at least 1");
    };
    positive("vocabulary", c.vocabulary);
    positive("width", c.width);
    positive("layers", c.layers);
    positive("heads", c.heads);
    positive("kv_heads", c.kv_heads);
    positive("head_width", c.head_width);
    positive("hidden", c.hidden);
    if (c.heads % c.kv_heads != 0)
        fail(std::to_string(c.heads) + " heads do not share " + std::to_string(c.kv_heads) + " kv_heads evenly");
    if (c.head_width % 2 != 0) fail("head_width is " + std::to_string(c.head_width) + ", expected an even number");
    if (c.window < 0) fail("window is " + std::to_string(c.window) + ", expected 0 or more");
    if (!(c.rms_eps >= 0)) fail("rms_eps is " + std::to_string(c.rms_eps) + ", expected 0 or more");
    if (!(c.rope_theta > 0)) fail("rope_theta is " + std::to_string(c.rope_theta) + ", expected more than 0");
}

/// Parameters of the base, adapters not counted.
inline index_t parameter_count(const transformer_config& c) {
    const index_t attention = 2 * c.width * (c.query_width() + c.key_width());
    const index_t mlp = 3 * c.width * c.hidden;
    return c.layers * (attention + mlp + 2 * c.width) + c.width + (c.tied ? 1 : 2) * c.vocabulary * c.width;
}

/// What an adapter at a site must be made for.
struct site_extents {
    index_t inputs = 0, outputs = 0;
    friend bool operator==(const site_extents&, const site_extents&) = default;
};
inline site_extents site_width(const transformer_config& c, site where) {
    switch (where) {
        case site::q: return {c.width, c.query_width()};
        case site::k:
        case site::v: return {c.width, c.key_width()};
        case site::o: return {c.query_width(), c.width};
        case site::gate:
        case site::up: return {c.width, c.hidden};
        case site::down: return {c.hidden, c.width};
        default: return {c.width, c.width};
    }
}

}  // namespace hrm
