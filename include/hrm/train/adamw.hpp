#pragma once

#include <cmath>
#include <span>

#include <hrm/core/matrix.hpp>
#include <hrm/train/checkpoint.hpp>
#include <hrm/train/parameter_list.hpp>

namespace hrm {

struct adamw_options {
    double beta1 = 0.9, beta2 = 0.999;
    double epsilon = 1e-8;
    double weight_decay = 0.01;
};

/// Adam with decoupled weight decay, on the tensors of a parameter_list.
///     m = b1 m + (1 - b1) g,   v = b2 v + (1 - b2) g^2
///     p -= rate ( (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + epsilon) + weight_decay p )     t = 1, 2, ..
/// The decay pulls only on tensors marked decay::yes: never on gates, norms, poles, step sizes.
/// Loshchilov & Hutter, "Decoupled weight decay regularization", ICLR 2019.
template <real S>
class adamw {
public:
    adamw() = default;
    explicit adamw(const parameter_list<S>& list, adamw_options options = {})
        : options_(options), m_(static_cast<std::size_t>(list.size())), v_(m_.size()) {}

    /// One update; gradient: list.size() elements. The bias corrections and coefficients are computed in double.
    void step(const parameter_list<S>& list, std::span<const S> gradient, double rate) {
        require_size("hrm::adamw", "gradient", static_cast<index_t>(gradient.size()), list.size());
        require_size("hrm::adamw", "moments", static_cast<index_t>(m_.size()), list.size());
        ++steps_;
        const auto t = static_cast<double>(steps_);
        const S b1 = static_cast<S>(options_.beta1), c1 = static_cast<S>(1 - options_.beta1);
        const S b2 = static_cast<S>(options_.beta2), c2 = static_cast<S>(1 - options_.beta2);
        const S unbias = static_cast<S>(1 / std::sqrt(1 - std::pow(options_.beta2, t)));
        const S epsilon = static_cast<S>(options_.epsilon);
        for (const auto& part : list.tensors()) {
            if (part.rate == 0) continue;
            const double here = rate * part.rate;
            const S stride = static_cast<S>(here / (1 - std::pow(options_.beta1, t)));
            const S shrink = part.entry().decay == decay::yes ? static_cast<S>(here * options_.weight_decay) : S{0};
            S* p = part.values().data;
            const S* g = part.in(gradient).data();
            S* m = part.in(std::span<S>(m_)).data();
            S* v = part.in(std::span<S>(v_)).data();
            for (index_t i = 0; i < part.size(); ++i) {
                m[i] = b1 * m[i] + c1 * g[i];
                v[i] = b2 * v[i] + c2 * g[i] * g[i];
                p[i] -= stride * m[i] / (std::sqrt(v[i]) * unbias + epsilon) + shrink * p[i];
            }
        }
    }
    index_t steps() const { return steps_; }

    /// The moments and the step, under names "moment1/..", "moment2/..", "adamw.steps".
    void save(const parameter_list<S>& list, snapshot& to) const {
        to.put_number("adamw.steps", steps_);
        for (const auto& t : list.tensors()) {
            to.put("moment1/" + t.name, t.in(std::span<const S>(m_)));
            to.put("moment2/" + t.name, t.in(std::span<const S>(v_)));
        }
    }
    void restore(const parameter_list<S>& list, const snapshot& from) {
        steps_ = static_cast<index_t>(from.number("adamw.steps"));
        for (const auto& t : list.tensors()) {
            from.copy_to("moment1/" + t.name, t.in(std::span<S>(m_)));
            from.copy_to("moment2/" + t.name, t.in(std::span<S>(v_)));
        }
    }

private:
    adamw_options options_;
    buffer<S> m_, v_;
    index_t steps_ = 0;
};

}  // namespace hrm
