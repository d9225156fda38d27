// Everything at once, instantiated: a floor's name that hides another's shows here, where each header's own test, which includes
// little, does not see it. fuzz/every_function.hpp calls systems and reduction.
#include <hrm/hrm.hpp>
#include <hrm/io.hpp>

namespace hrm {

template class adapter_set<float>;
template class calibrator<float>;
template class hrm_adapter<float>;
template class reduced_adapter<double>;
template class lora<float>;
template std::unique_ptr<adapter<float>> make_adapter(std::string_view, index_t, index_t, const option_list&);
template adapter_set<float> wide_adapters(const calibrator<float>&, const wide_options&);
template training_reduction<float> reduce_in_training(const adapter_set<float>&, const snapshot&, const balance_options&,
                                                      std::span<const matrix<double>>);

template class transformer<float, bf16>;
template class trainer<float>;
template score next_token_loss(const transformer<float>&, std::span<const std::int32_t>, std::span<const std::int32_t>, const adapter_set<float>&,
                               std::span<float>, std::span<float>, activations<float>&, forward_options<float>, workspace&);
template transformer<float> load_huggingface(const std::string&);
template void save_huggingface<bf16>(const std::string&, const transformer<float>&);
template adapter_set<float> load_adapters(const std::string&, const adapter_registry<float>&);
template adapter_set<float> load_peft(const std::string&);

template class scan::engine<cpu, scan::automatic, complex_pairs<float>>;
template class scan::engine<cpu, scan::automatic, dense<double>>;
template class scan::convolution<float>;
template class scan::convolution_stream<float>;
template class fourier::single<float>;

}  // namespace hrm

int main() {}
