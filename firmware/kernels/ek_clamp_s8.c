/* A ReLU that could not be fused into the node before it. */
#include "ek_requant.h"

void ek_clamp_s8(const ek_clamp_s8_params *p, const int8_t *x, int8_t *y)
{
    for (int32_t i = 0; i < p->size; i++) {
        y[i] = (int8_t)ek_clamp(x[i], p->low, p->high);
    }
}
