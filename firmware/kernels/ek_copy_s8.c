/* A tensor written in order and read in steps: transposes and slices. */
#include "edgekit.h"

/* Write n values that lie `step` apart, from x[from] on. */
static int8_t *line(const int8_t *x, int32_t from, int32_t n, int32_t step, int8_t *y)
{
    for (int32_t i = 0; i < n; i++) {
        y[i] = x[from];
        from += step;
    }
    return &y[n];
}

void ek_copy_s8(const ek_copy_s8_params *p, const int8_t *x, int8_t *y)
{
    for (int32_t i = 0; i < p->n0; i++) {
        for (int32_t j = 0; j < p->n1; j++) {
            for (int32_t k = 0; k < p->n2; k++) {
                const int32_t from = p->start + i * p->step0 + j * p->step1 + k * p->step2;
                y = line(x, from, p->n3, p->step3, y);
            }
        }
    }
}
