// Fully connected layer: PE sums at a time, SIMD products of each in a clock.
//
// N names the sizes: INPUTS, OUTPUTS, SUM_BITS, ZERO_POINT (taken from every input), LOW (the
// output where no threshold is reached), PE, SIMD. A layer takes
// (OUTPUTS / PE) * (INPUTS / SIMD) clocks and reads PE * SIMD weights in each.
#ifndef EK_DENSE_HPP
#define EK_DENSE_HPP

#include "ek_sum.hpp"

namespace ek
{

template <typename N, typename W, typename B, typename T, typename X, typename Y>
void dense(const W weights[N::OUTPUTS][N::INPUTS], const B bias[N::OUTPUTS], const T &thresholds,
           const X x[N::INPUTS], Y y[N::OUTPUTS])
{
    constexpr int PE = N::PE;
    constexpr int SIMD = N::SIMD;
    static_assert(N::OUTPUTS % PE == 0 && N::INPUTS % SIMD == 0, "whole groups are computed");
#pragma HLS INLINE off
#pragma HLS ARRAY_PARTITION variable=weights cyclic factor=PE dim=1
#pragma HLS ARRAY_RESHAPE variable=weights cyclic factor=SIMD dim=2
    Signed<N::SUM_BITS> sums[PE];
#pragma HLS ARRAY_PARTITION variable=sums complete
    for (int first = 0; first < N::OUTPUTS; first += PE) {
        for (int i = 0; i < N::INPUTS; i += SIMD) {
#pragma HLS PIPELINE II=1
            X inputs[SIMD];
#pragma HLS ARRAY_PARTITION variable=inputs complete
            take(x, i, inputs);
            for (int p = 0; p < PE; ++p) {
#pragma HLS UNROLL
                W lanes[SIMD];
#pragma HLS ARRAY_PARTITION variable=lanes complete
                take(weights[first + p], i, lanes);
                const int before = i == 0 ? bias[first + p].to_int() : sums[p].to_int();
                sums[p] = before + dot<N::ZERO_POINT>(lanes, inputs);
                if (i + SIMD == N::INPUTS) {
                    finish<N::LOW>(sums[p].to_int(), first + p, thresholds, y[first + p]);
                }
            }
        }
    }
}

} // namespace ek

#endif
