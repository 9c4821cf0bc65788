/* Bits in strides to bits in order: slices and transpositions. */
#include "ek_bin.h"

void ek_bin_copy(const ek_bin_copy_params *p, const int8_t *x, int8_t *y)
{
    const uint32_t *words = (const uint32_t *)(const void *)x;
    ek_bin_writer out = {(uint32_t *)(void *)y, 0, 0};
    for (int32_t i = 0; i < p->n0; i++) {
        for (int32_t j = 0; j < p->n1; j++) {
            for (int32_t k = 0; k < p->n2; k++) {
                int32_t at = p->start + i * p->step0 + j * p->step1 + k * p->step2;
                for (int32_t l = 0; l < p->n3; l++) {
                    ek_bin_append(&out, (words[at / EK_BIN_LANES] >> (at % EK_BIN_LANES)) & 1U, 1);
                    at += p->step3;
                }
                ek_bin_flush(&out);
            }
        }
    }
}
