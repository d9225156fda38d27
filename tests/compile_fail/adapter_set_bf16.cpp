// expect: hrm::adapter_set: a set is of float or double, the numbers a model computes in; bf16 stores a model.?s frozen weights
#include <hrm/adapter/set.hpp>

hrm::adapter_set<hrm::bf16> set;
