#pragma once

#include <cstdint>
#include <span>
#include <string>

#include <hrm/adapter/set.hpp>
#include <hrm/core/error.hpp>
#include <hrm/model/config.hpp>

namespace hrm {

/// Throws unless every member of the set sits on a layer the model has and is made for its site's widths.
template <real S>
void check(const adapter_set<S>& set, const transformer_config& c) {
    for (const auto& a : set) {
        const auto want = site_width(c, a.site);
        const bool known = a.layer >= 0 && a.layer < c.layers;
        if (known && want == site_extents{a.adapter->inputs(), a.adapter->outputs()}) continue;
        const auto where = "hrm::adapter_set: " + std::string(a.adapter->kind()) + " at " + std::string(name(a.site)) +
                           " of layer " + std::to_string(a.layer);
        if (!known) throw shape_error(where + ", the model has " + std::to_string(c.layers));
        require_shape(where, "the adapter (outputs x inputs)", a.adapter->outputs(), a.adapter->inputs(), want.outputs,
                      want.inputs);
    }
}

/// One layer's adapters during one call of the model: what a block asks at each site.
template <real S>
struct site_calls {
    const adapter_set<S>& set;
    index_t layer = 0;
    call<S> how;                   ///< draw and carried are set for each member
    adapter_states<S>* states = nullptr;
    std::span<kept<S>> keep;       ///< one a member of the set

    bool any(site where) const { return set.any_at(layer, where); }

    /// out += A(u) for every adapter at this site.
    void forward(site where, matrix_view<const S> u, matrix_view<S> out, workspace& ws) const {
        set.at(layer, where, [&](std::size_t i, const adapter<S>& a) {
            a.forward(u, out, call_of(i), keep[i], ws);
        });
    }
    /// du += dA/du^T dout (du may be empty), gradient (of the whole set) += dA/dtheta^T dout.
    void backward(site where, matrix_view<const S> u, matrix_view<const S> dout, matrix_view<S> du,
                  std::span<S> gradient, workspace& ws) const {
        set.at(layer, where, [&](std::size_t i, const adapter<S>& a) {
            scratch_scope scope(ws);
            a.backward(u, dout, du, set.gradient_of(i, gradient), call_of(i), keep[i], ws);
        });
    }

private:
    /// Members draw different dropout masks from one draw of the model.
    call<S> call_of(std::size_t i) const {
        call<S> c = how;
        c.draw = how.draw * set.size() + i;
        c.carried = states ? &(*states)[i] : nullptr;
        return c;
    }
};

}  // namespace hrm
