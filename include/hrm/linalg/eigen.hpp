#pragma once

// The one door to Eigen: everybody else includes this. Views and copies only, because a decomposition costs every
// program that includes <hrm/hrm.hpp> a second of compilation: who wants one includes Eigen's header for it.

#include <type_traits>

#include <Eigen/Core>

#include <hrm/core/matrix.hpp>

namespace hrm {

/// Eigen's owning matrix in our layout.
template <class S>
using dense_matrix = Eigen::Matrix<S, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

/// An Eigen expression over memory of ours. T may be const.
template <class T>
using eigen_map = Eigen::Map<std::conditional_t<std::is_const_v<T>, const dense_matrix<std::remove_const_t<T>>, dense_matrix<T>>,
                             Eigen::Unaligned, Eigen::OuterStride<>>;

/// The same elements, seen by Eigen; nothing is copied, so v must outlive the result.
template <class T>
eigen_map<T> as_eigen(matrix_view<T> v) {
    return {v.data, v.rows, v.cols, Eigen::OuterStride<>(v.stride)};
}
template <class T>
eigen_map<T> as_eigen(matrix<T>& m) {
    return as_eigen(m.view());
}
template <class T>
eigen_map<const T> as_eigen(const matrix<T>& m) {
    return as_eigen(m.view());
}

/// A matrix of ours with the value of an Eigen expression.
template <class Expression>
matrix<typename Expression::Scalar> from_eigen(const Eigen::EigenBase<Expression>& e) {
    matrix<typename Expression::Scalar> m(e.rows(), e.cols());
    as_eigen(m) = e.derived();
    return m;
}

}  // namespace hrm
