#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <hrm/adapter/state.hpp>
#include <hrm/core/parallel.hpp>
#include <hrm/core/parameter.hpp>
#include <hrm/core/view.hpp>
#include <hrm/core/workspace.hpp>

namespace hrm {

/// inference: dropout off, nothing kept. training: dropout on, what backward needs is kept in the workspace.
enum class pass { inference, training };

/// Everything about one call that is not a tensor.
template <real S>
struct call {
    pass mode = pass::inference;
    /// Ascending rows of this sequence at which a new document starts: the state is reset before that row.
    std::span<const index_t> starts = {};
    /// State before the first row in, after the last row out. Null: zero in, nothing out.
    adapter_state<S>* carried = nullptr;
    /// Names the dropout mask: the same number draws the same mask.
    std::uint64_t draw = 0;
    /// Share the work of this call; null: the caller's thread alone. Changes no bit.
    team* threads = nullptr;
};

/// What a forward in training mode leaves for its backward: views into the caller's workspace, meaning private to the kind.
template <real S>
struct kept {
    std::array<matrix_view<S>, 6> m{};
    const void* more = nullptr;  ///< what is no matrix of S
};

/// The one concept every adapter kind meets: an additive, causal map beside frozen weights,
///     out_t += A(u_1 .. u_t),     u: L x inputs(),  out: L x outputs(),
/// over one sequence of any length, with its own parameters in one flat buffer and an optional carried state.
/// A new kind is one header deriving from this; models, training and files see only this interface. Calls are const and
/// may run concurrently with one workspace a thread. Cost of a virtual call a sequence: nothing.
template <real S>
class adapter {
public:
    virtual ~adapter() = default;
    /// "lora", "hrm": the word in adapter files.
    virtual std::string_view kind() const = 0;
    virtual index_t inputs() const = 0;
    virtual index_t outputs() const = 0;
    /// Numbers carried from token to token; 0 for memoryless kinds.
    virtual index_t state_size() const { return 0; }
    virtual std::unique_ptr<adapter> clone() const = 0;
    /// Every option that is not a tensor, as the adapter file stores it.
    virtual std::vector<std::pair<std::string, std::string>> options() const = 0;

    /// out += A(u).
    virtual void forward(matrix_view<const S> u, matrix_view<S> out, const call<S>& how, kept<S>& keep,
                         workspace& ws) const = 0;
    /// After a training forward with the same u and call: du += dA/du^T dout, gradient += dA/dtheta^T dout
    /// (gradient: a flat buffer laid out like parameters()). du may be empty when nobody needs it.
    virtual void backward(matrix_view<const S> u, matrix_view<const S> dout, matrix_view<S> du,
                          std::span<S> gradient, const call<S>& how, const kept<S>& keep, workspace& ws) const = 0;

    parameter_set<S>& parameters() { return parameters_; }
    const parameter_set<S>& parameters() const { return parameters_; }

protected:
    adapter() = default;
    adapter(const adapter&) = default;
    adapter& operator=(const adapter&) = default;
    parameter_set<S> parameters_;
};

}  // namespace hrm
