#pragma once

#include <array>
#include <cmath>
#include <numbers>
#include <string>

#include <hrm/adapter/text.hpp>
#include <hrm/core/scalar.hpp>
#include <hrm/systems/discretize.hpp>

namespace hrm {

/// How A of an HRM adapter is parametrised.
///     real_positive   a = -exp(logA), a step size of its own for each state, discretised:   Abar in (0, 1) under zoh
///     real_signed     Abar = tanh(theta)                                                    in (-1, 1)
///     complex_pairs   Abar = exp(-exp(nu) +- i phase), two real states a pair               in the open unit disc
enum class poles { real_positive, real_signed, complex_pairs };

/// published: the paper's start: S4D-Real poles, B ~ N/sqrt(inputs), C ~ N/sqrt(states), the gate shut.
/// like_lora: LoRA's start: B Kaiming-uniform, C = 0 (an exact no-op whose C has its full gradient at once), memory
/// lengths spread evenly in the logarithm from one token to options.longest_memory.
enum class start { published, like_lora };

/// What multiplies the output.
///     scalar, per_channel   learned factors          frozen   the constant gate_start        none   1
///     token                 sigmoid(w u_t + b), one number a token
enum class gate { scalar, per_channel, token, frozen, none };

/// The factor of B's rows.
///     none            the discretised step of a continuous system (1 for poles that are discrete to begin with)
///     unit_variance   sqrt(1 - |Abar|^2): white input of unit variance gives states of unit variance
///     unit_gain       1 - |Abar|: a moving average. Activations are far from white: their mean alone would drive a state
///                     of memory m up to sqrt(2 m) under unit_variance, and 1 here
enum class normalization { none, unit_variance, unit_gain };

/// A direct path y += D u beside the states.
enum class feedthrough { none, diagonal };

inline constexpr std::array<std::string_view, 3> poles_names = {"real_positive", "real_signed", "complex_pairs"};
inline constexpr std::array<std::string_view, 2> start_names = {"published", "like_lora"};
inline constexpr std::array<std::string_view, 5> gate_names = {"scalar", "per_channel", "token", "frozen", "none"};
inline constexpr std::array<std::string_view, 3> normalization_names = {"none", "unit_variance", "unit_gain"};
inline constexpr std::array<std::string_view, 2> feedthrough_names = {"none", "diagonal"};
inline constexpr std::array<std::string_view, 5> discretization_names = {"zoh", "bilinear", "forward_euler",
                                                                         "backward_euler", "generalized_bilinear"};

struct hrm_options {
    index_t states = 32;         ///< real states; a complex pair is two
    index_t static_states = 0;   ///< the first so many have Abar = 0: the LoRA part, no pole to learn
    hrm::poles poles = hrm::poles::real_positive;
    hrm::discretization discretization = hrm::discretization::zoh;  ///< of real_positive poles
    double theta = 0.5;                                             ///< of the generalised bilinear rule
    hrm::start start = hrm::start::published;
    hrm::gate gate = hrm::gate::scalar;
    double gate_start = 0;       ///< for the token gate in (0, 1): the sigmoid's first value
    hrm::normalization normalization = hrm::normalization::none;
    double scale = 1;            ///< a constant factor of the output
    hrm::feedthrough feedthrough = hrm::feedthrough::none;
    index_t reset_every = 0;     ///< forget everything each so many tokens of a document; 0: never
    bool learn_initial_state = false;
    double dt_min = 1e-4, dt_max = 0.1;  ///< the clamp of the step sizes
    double longest_memory = 1024;        ///< tokens; of the like_lora start
    double largest_phase = std::numbers::pi / 10;  ///< radians a token; of the like_lora start of complex pairs

    /// The paper's adapter with n states: 2nd + 2n + 1 parameters.
    static hrm_options published(index_t n) {
        hrm_options o;
        o.states = n;
        return o;
    }
    /// What we would ship: the start of LoRA, no gate, and of seven states two remember: with poles of both signs, over
    /// the last few tokens to begin with (a short learned convolution); training lengthens what deserves it.
    static hrm_options shipped(index_t n) {
        hrm_options o;
        o.states = n;
        o.static_states = n - (2 * n + 6) / 7;
        o.poles = hrm::poles::real_signed;
        o.start = hrm::start::like_lora;
        o.gate = hrm::gate::none;
        o.longest_memory = 2;
        return o;
    }
    index_t dynamic_states() const { return states - static_states; }

    /// Throws error naming the first option that makes no sense. inputs, outputs: of the layer.
    void check(index_t inputs, index_t outputs) const {
        const auto fail = [](const std::string& what, const std::string& is, const std::string& expected) {
            throw error("hrm::hrm_adapter: " + what + " is " + is + ", expected " + expected);
        };
        const auto whole = [](index_t i) { return std::to_string(i); };
        if (inputs < 1 || outputs < 1) throw shape_error("hrm::hrm_adapter: layer is " + extents(outputs, inputs) + ", expected at least 1x1");
        if (states < 1) fail("states", whole(states), "at least 1");
        if (static_states < 0 || static_states > states)
            fail("static_states", whole(static_states), "0 to " + whole(states) + " (states)");
        if (poles == hrm::poles::complex_pairs && dynamic_states() % 2 != 0)
            fail("states - static_states", whole(dynamic_states()), "an even number for complex pairs");
        if (poles != hrm::poles::real_positive && discretization != hrm::discretization::zoh)
            fail("discretization", std::string(discretization_names[static_cast<std::size_t>(discretization)]),
                 "zoh: only real_positive poles are discretised");
        if (!(theta >= 0 && theta <= 1)) fail("theta", number_text(theta), "in [0, 1]");
        if (!(dt_min > 0 && dt_min < dt_max && std::isfinite(dt_max)))
            fail("the range of step sizes", number_text(dt_min) + " to " + number_text(dt_max), "0 < dt_min < dt_max");
        if (!std::isfinite(gate_start)) fail("gate_start", number_text(gate_start), "a finite number");
        if (gate == hrm::gate::token && !(gate_start > 0 && gate_start < 1))
            fail("gate_start", number_text(gate_start), "in (0, 1) for a token gate");
        if (!std::isfinite(scale)) fail("scale", number_text(scale), "a finite number");
        if (feedthrough == hrm::feedthrough::diagonal && inputs != outputs)
            fail("the layer of a diagonal feedthrough", extents(outputs, inputs), "square");
        if (reset_every < 0) fail("reset_every", whole(reset_every), "0 (never) or more");
        if (!(longest_memory >= 1 && std::isfinite(longest_memory)))
            fail("longest_memory", number_text(longest_memory), "at least 1 token");
        if (!std::isfinite(largest_phase)) fail("largest_phase", number_text(largest_phase), "a finite number");
    }

    option_list list() const {
        const auto word = [](const auto& names, auto value) { return std::string(names[static_cast<std::size_t>(value)]); };
        const auto yes = [](bool b) { return std::string(b ? "yes" : "no"); };
        return {{"states", std::to_string(states)},
                {"static_states", std::to_string(static_states)},
                {"poles", word(poles_names, poles)},
                {"discretization", word(discretization_names, discretization)},
                {"theta", number_text(theta)},
                {"start", word(start_names, start)},
                {"gate", word(gate_names, gate)},
                {"gate_start", number_text(gate_start)},
                {"normalization", word(normalization_names, normalization)},
                {"scale", number_text(scale)},
                {"feedthrough", word(feedthrough_names, feedthrough)},
                {"reset_every", std::to_string(reset_every)},
                {"learn_initial_state", yes(learn_initial_state)},
                {"dt_min", number_text(dt_min)},
                {"dt_max", number_text(dt_max)},
                {"longest_memory", number_text(longest_memory)},
                {"largest_phase", number_text(largest_phase)}};
    }
    static hrm_options from(const option_list& list) {
        hrm_options o;
        read_option(list, "states", o.states);
        read_option(list, "static_states", o.static_states);
        read_option(list, "poles", poles_names, o.poles);
        read_option(list, "discretization", discretization_names, o.discretization);
        read_option(list, "theta", o.theta);
        read_option(list, "start", start_names, o.start);
        read_option(list, "gate", gate_names, o.gate);
        read_option(list, "gate_start", o.gate_start);
        read_option(list, "normalization", normalization_names, o.normalization);
        read_option(list, "scale", o.scale);
        read_option(list, "feedthrough", feedthrough_names, o.feedthrough);
        read_option(list, "reset_every", o.reset_every);
        read_option(list, "learn_initial_state", o.learn_initial_state);
        read_option(list, "dt_min", o.dt_min);
        read_option(list, "dt_max", o.dt_max);
        read_option(list, "longest_memory", o.longest_memory);
        read_option(list, "largest_phase", o.largest_phase);
        return o;
    }
};

}  // namespace hrm
