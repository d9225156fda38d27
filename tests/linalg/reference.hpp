#pragma once

#include <fstream>
#include <string>

#include <doctest/doctest.h>

#include <hrm/core/matrix.hpp>
#include <hrm/linalg/eigen.hpp>

// A Gramian equation with SciPy's answer: see make_references.py.
struct reference {
    hrm::matrix<double> a, b, x;
    explicit reference(const std::string& name) {
        std::ifstream file(HRM_TEST_DATA "/linalg/data/" + name + ".txt");
        hrm::index_t n = 0, m = 0;
        file >> n >> m;
        a = hrm::matrix<double>(n, n);
        b = hrm::matrix<double>(n, m);
        x = hrm::matrix<double>(n, n);
        for (auto* p : {&a, &b, &x})
            for (double& value : p->flat()) file >> value;
        REQUIRE(file);
    }
};

// |x - y| / |y| in the Frobenius norm.
inline double relative_error(const hrm::matrix<double>& x, const hrm::matrix<double>& y) {
    return (hrm::as_eigen(x) - hrm::as_eigen(y)).norm() / hrm::as_eigen(y).norm();
}
// b b^T.
inline hrm::matrix<double> square(const hrm::matrix<double>& b) {
    return hrm::from_eigen(hrm::as_eigen(b).lazyProduct(hrm::as_eigen(b).transpose()));
}
