// expect: hrm::stored_adapter .bf16. is called by itself, not by a model
#include <hrm/adapter/set.hpp>
#include <hrm/adapter/stored.hpp>

void attach(hrm::adapter_set<float>& set, const hrm::adapter<float>& wide) {
    set.attach(0, hrm::site::gate, std::make_unique<hrm::stored_adapter<hrm::bf16>>(wide));
}
