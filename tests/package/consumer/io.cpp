#include <hrm/io.hpp>

int main() {
    try {
        (void)hrm::read_file("/no/such/file");
    } catch (const hrm::io_error&) {
        return 0;
    }
    return 1;
}
