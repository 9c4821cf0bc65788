/* Bits moved between words: rows of one length become rows of another. */
#include "ek_bin.h"

void ek_bin_reshape(const ek_bin_reshape_params *p, const int8_t *x, int8_t *y)
{
    const uint32_t *from = (const uint32_t *)(const void *)x;
    ek_bin_writer out = {(uint32_t *)(void *)y, 0, 0};
    int32_t in_left = p->in_row;
    int32_t out_left = p->out_row;
    int32_t used = 0; /* bits of *from that are read */
    for (int32_t left = p->size; left > 0;) {
        int32_t count = EK_BIN_LANES - used;
        count = count < in_left ? count : in_left;
        count = count < out_left ? count : out_left;
        ek_bin_append(&out, (*from >> used) & (~0U >> (EK_BIN_LANES - count)), count);
        used += count;
        in_left -= count;
        out_left -= count;
        left -= count;
        if (in_left == 0 || used == EK_BIN_LANES) {
            from++;
            used = 0;
        }
        in_left = in_left == 0 ? p->in_row : in_left;
        if (out_left == 0) {
            ek_bin_flush(&out);
            out_left = p->out_row;
        }
    }
}
