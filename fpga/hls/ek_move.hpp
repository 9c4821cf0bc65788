// Elements in another order: element i of y is element places[i] of x.
//
// N names INPUTS and OUTPUTS; it takes OUTPUTS clocks.
#ifndef EK_MOVE_HPP
#define EK_MOVE_HPP

#include "ek_int.hpp"

namespace ek
{

template <typename N, typename P, typename X>
void move(const P places[N::OUTPUTS], const X x[N::INPUTS], X y[N::OUTPUTS])
{
#pragma HLS INLINE off
    for (int i = 0; i < N::OUTPUTS; ++i) {
#pragma HLS PIPELINE II=1
        y[i] = x[places[i].to_uint()];
    }
}

} // namespace ek

#endif
