// Convolution of an image [HEIGHT][WIDTH][CHANNELS]: PE output channels at a time, SIMD products of
// each in a clock. A signal is an image of one row.
//
// N names the sizes of ek_window.hpp and CHANNELS, OUTPUTS, OUT_HEIGHT, OUT_WIDTH, TAPS (cells of
// the window), SUM_BITS, ZERO_POINT (taken from every input), PADDING (what a cell outside the
// image counts as, the zero point already taken), LOW (the output where no threshold is reached),
// PE, SIMD. It takes OUT_HEIGHT * OUT_WIDTH * (OUTPUTS / PE) * TAPS * (CHANNELS / SIMD) clocks.
#ifndef EK_CONV2D_HPP
#define EK_CONV2D_HPP

#include "ek_sum.hpp"
#include "ek_window.hpp"

namespace ek
{

// One output pixel of PE channels; weights[output][tap * CHANNELS + channel].
template <typename N, typename W, typename B, typename T, typename X, typename Y>
void conv2d_pixel(const W weights[N::OUTPUTS][N::TAPS * N::CHANNELS], const B bias[N::OUTPUTS],
                  const T &thresholds, const X *image, int row, int column, int first, Y *y)
{
    constexpr int PE = N::PE;
    constexpr int SIMD = N::SIMD;
#pragma HLS INLINE
    Signed<N::SUM_BITS> sums[PE];
#pragma HLS ARRAY_PARTITION variable=sums complete
    for (int tap = 0; tap < N::TAPS; ++tap) {
        for (int c = 0; c < N::CHANNELS; c += SIMD) {
#pragma HLS PIPELINE II=1
            const Place at = place<N>(row, column, tap);
            X inputs[SIMD];
#pragma HLS ARRAY_PARTITION variable=inputs complete
            take(image, at.pixel * N::CHANNELS + c, inputs);
            for (int p = 0; p < PE; ++p) {
#pragma HLS UNROLL
                W lanes[SIMD];
#pragma HLS ARRAY_PARTITION variable=lanes complete
                take(weights[first + p], tap * N::CHANNELS + c, lanes);
                const int added =
                    at.inside ? dot<N::ZERO_POINT>(lanes, inputs) : padded<N::PADDING>(lanes);
                const bool begins = tap == 0 && c == 0;
                sums[p] = (begins ? bias[first + p].to_int() : sums[p].to_int()) + added;
                if (tap == N::TAPS - 1 && c + SIMD == N::CHANNELS) {
                    const int at_y = (row * N::OUT_WIDTH + column) * N::OUTPUTS + first + p;
                    finish<N::LOW>(sums[p].to_int(), first + p, thresholds, y[at_y]);
                }
            }
        }
    }
}

template <typename N, typename W, typename B, typename T, typename X, typename Y>
void conv2d(const W weights[N::OUTPUTS][N::TAPS * N::CHANNELS], const B bias[N::OUTPUTS],
            const T &thresholds, const X x[N::HEIGHT * N::WIDTH * N::CHANNELS],
            Y y[N::OUT_HEIGHT * N::OUT_WIDTH * N::OUTPUTS])
{
    constexpr int PE = N::PE;
    constexpr int SIMD = N::SIMD;
    static_assert(N::OUTPUTS % PE == 0 && N::CHANNELS % SIMD == 0, "whole groups are computed");
#pragma HLS INLINE off
#pragma HLS ARRAY_PARTITION variable=weights cyclic factor=PE dim=1
#pragma HLS ARRAY_RESHAPE variable=weights cyclic factor=SIMD dim=2
    for (int row = 0; row < N::OUT_HEIGHT; ++row) {
        for (int column = 0; column < N::OUT_WIDTH; ++column) {
            for (int first = 0; first < N::OUTPUTS; first += PE) {
                conv2d_pixel<N>(weights, bias, thresholds, x, row, column, first, y);
            }
        }
    }
}

} // namespace ek

#endif
