// Look-up tables over bits: output m is the bit of table m that its inputs select, the first
// connection being the lowest bit of the index.
//
// N names INPUTS, OUTPUTS and FAN_IN (1 to 6 connections of a table). All tables work in one clock:
// a table becomes a look-up table of the FPGA, its connections become wires.
#ifndef EK_LUT_LAYER_HPP
#define EK_LUT_LAYER_HPP

#include "ek_int.hpp"

namespace ek
{

template <typename N, typename C, typename T>
void lut_layer(const C connections[N::OUTPUTS][N::FAN_IN], const T tables[N::OUTPUTS],
               const Bit x[N::INPUTS], Bit y[N::OUTPUTS])
{
#pragma HLS INLINE off
#pragma HLS PIPELINE II=1
    for (int m = 0; m < N::OUTPUTS; ++m) {
#pragma HLS UNROLL
        unsigned index = 0;
        for (int j = 0; j < N::FAN_IN; ++j) {
#pragma HLS UNROLL
            index |= x[connections[m][j].to_uint()].to_uint() << j;
        }
        y[m] = tables[m].to_uint64() >> index & 1U;
    }
}

} // namespace ek

#endif
