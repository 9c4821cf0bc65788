// Depthwise convolution: output channel o reads input channel o / MULTIPLIER alone. PE outputs at a
// time, one product of each in a clock.
//
// N names the sizes of ek_window.hpp and CHANNELS, OUTPUTS (MULTIPLIER * CHANNELS), OUT_HEIGHT,
// OUT_WIDTH, TAPS, SUM_BITS, ZERO_POINT, PADDING, LOW and PE, all as in ek_conv2d.hpp.
// It takes OUT_HEIGHT * OUT_WIDTH * (OUTPUTS / PE) * TAPS clocks.
#ifndef EK_DEPTHWISE_CONV2D_HPP
#define EK_DEPTHWISE_CONV2D_HPP

#include "ek_sum.hpp"
#include "ek_window.hpp"

namespace ek
{

template <typename N, typename W, typename B, typename T, typename X, typename Y>
void depthwise_conv2d_pixel(const W weights[N::TAPS][N::OUTPUTS], const B bias[N::OUTPUTS],
                            const T &thresholds, const X *image, int row, int column, int first,
                            Y *y)
{
    constexpr int PE = N::PE;
    constexpr int MULTIPLIER = N::OUTPUTS / N::CHANNELS;
#pragma HLS INLINE
    Signed<N::SUM_BITS> sums[PE];
#pragma HLS ARRAY_PARTITION variable=sums complete
    for (int tap = 0; tap < N::TAPS; ++tap) {
#pragma HLS PIPELINE II=1
        const Place at = place<N>(row, column, tap);
        for (int p = 0; p < PE; ++p) {
#pragma HLS UNROLL
            const int output = first + p;
            const X input[1] = {image[at.pixel * N::CHANNELS + output / MULTIPLIER]};
            const W lane[1] = {weights[tap][output]};
            const int added =
                at.inside ? dot<N::ZERO_POINT>(lane, input) : padded<N::PADDING>(lane);
            sums[p] = (tap == 0 ? bias[output].to_int() : sums[p].to_int()) + added;
            if (tap == N::TAPS - 1) {
                const int at_y = (row * N::OUT_WIDTH + column) * N::OUTPUTS + output;
                finish<N::LOW>(sums[p].to_int(), output, thresholds, y[at_y]);
            }
        }
    }
}

template <typename N, typename W, typename B, typename T, typename X, typename Y>
void depthwise_conv2d(const W weights[N::TAPS][N::OUTPUTS], const B bias[N::OUTPUTS],
                      const T &thresholds, const X x[N::HEIGHT * N::WIDTH * N::CHANNELS],
                      Y y[N::OUT_HEIGHT * N::OUT_WIDTH * N::OUTPUTS])
{
    constexpr int PE = N::PE;
    static_assert(N::OUTPUTS % N::CHANNELS == 0, "each input channel has as many outputs");
    static_assert(N::OUTPUTS % PE == 0, "whole groups are computed");
#pragma HLS INLINE off
#pragma HLS ARRAY_RESHAPE variable=weights cyclic factor=PE dim=2
    for (int row = 0; row < N::OUT_HEIGHT; ++row) {
        for (int column = 0; column < N::OUT_WIDTH; ++column) {
            for (int first = 0; first < N::OUTPUTS; first += PE) {
                depthwise_conv2d_pixel<N>(weights, bias, thresholds, x, row, column, first, y);
            }
        }
    }
}

} // namespace ek

#endif
