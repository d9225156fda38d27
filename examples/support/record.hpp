#pragma once

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include <hrm/core/scalar.hpp>

// What the demonstration knows about each model: plain values, kept as JSON so that a stopped run goes on and the report
// can be drawn again.

namespace hrm::examples {

/// One dynamical adapter of one layer.
struct layer_record {
    index_t layer = 0;
    std::string site = {};
    double gate = 1;
    std::vector<double> memory = {};     ///< -1 / log |Abar| of each dynamic state, in bytes
    std::vector<double> sigma = {};      ///< Hankel singular values
    std::vector<double> untrained = {};  ///< the same before training
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(layer_record, layer, site, gate, memory, sigma, untrained)

/// One row of the table.
struct record {
    std::string name = {}, label = {};
    int colour = 0;
    index_t parameters = 0;
    double rate = 0;                    ///< learning rate
    double bits = 0;                    ///< test bits per byte
    double train_seconds = 0;           ///< per 1000 tokens of training
    double forward_seconds = 0;         ///< per 1000 tokens of evaluation
    std::vector<index_t> states = {};        ///< kept, a number a layer
    std::vector<double> step = {}, learning = {}; ///< training curve, bits per byte
    std::vector<double> position = {}, bits_at = {}, reset_bits_at = {};
    double reset_bits = 0;              ///< the same weights, state reset every window; 0: not measured
    std::vector<layer_record> layers = {};
    std::string prompt = {}, sample = {};
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(record, name, label, colour, parameters, rate, bits, train_seconds, forward_seconds,
                                   states, step, learning, position, bits_at, reset_bits_at, reset_bits, layers, prompt, sample)

}  // namespace hrm::examples
