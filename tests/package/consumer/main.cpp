// What a host project builds first: one product with the library's own kernel, and one of its errors.
#include <hrm/hrm.hpp>

#include <iostream>

int main() {
    const hrm::matrix<double> a{{1, 2}, {3, 4}}, b{{5}, {6}};
    hrm::matrix<double> c(2, 1);
    hrm::multiply(a.view(), b.view(), c.view());
    if (c(0, 0) != 17 || c(1, 0) != 39) return 1;
    try {
        hrm::multiply(b.view(), a.view(), c.view());
    } catch (const hrm::shape_error& e) {
        std::cout << "hrm " << HRM_VERSION_MAJOR << '.' << HRM_VERSION_MINOR << ": " << e.what() << '\n';
        return 0;
    }
    return 1;
}
