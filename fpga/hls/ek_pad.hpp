// Cells around an image [HEIGHT][WIDTH][CHANNELS] that hold VALUE.
//
// N names the sizes of the image, TOP, LEFT and FRONT (cells before it, along each axis),
// OUT_HEIGHT, OUT_WIDTH, OUT_CHANNELS and VALUE. It takes a clock for each cell that it writes.
#ifndef EK_PAD_HPP
#define EK_PAD_HPP

#include "ek_int.hpp"

namespace ek
{

template <typename N, typename X, typename Y>
void pad(const X x[N::HEIGHT * N::WIDTH * N::CHANNELS],
         Y y[N::OUT_HEIGHT * N::OUT_WIDTH * N::OUT_CHANNELS])
{
#pragma HLS INLINE off
    for (int row = 0; row < N::OUT_HEIGHT; ++row) {
        for (int column = 0; column < N::OUT_WIDTH; ++column) {
            for (int c = 0; c < N::OUT_CHANNELS; ++c) {
#pragma HLS PIPELINE II=1
                const int r = row - N::TOP;
                const int k = column - N::LEFT;
                const int from = c - N::FRONT;
                const bool inside = r >= 0 && r < N::HEIGHT && k >= 0 && k < N::WIDTH &&
                                    from >= 0 && from < N::CHANNELS;
                const int at = inside ? (r * N::WIDTH + k) * N::CHANNELS + from : 0;
                store(inside ? value(x[at]) : N::VALUE,
                      y[(row * N::OUT_WIDTH + column) * N::OUT_CHANNELS + c]);
            }
        }
    }
}

} // namespace ek

#endif
