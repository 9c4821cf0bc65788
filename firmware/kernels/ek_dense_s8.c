/* Fully connected layer: four outputs share each load of the input. */
#include "ek_requant.h"

static int8_t finish(const ek_dense_s8_params *p, int32_t channel, int32_t sum)
{
    const ek_scale scale = ek_scale_of(&p->requant, channel);
    return ek_apply(&scale, sum + p->bias[channel]);
}

void ek_dense_s8(const ek_dense_s8_params *p, const int8_t *x, int8_t *y)
{
    const int8_t *w = p->weights;
    const int8_t *end = &x[p->in_n];
    int32_t n = 0;
    for (; n + 4 <= p->out_n; n += 4) {
        int32_t s0 = 0;
        int32_t s1 = 0;
        int32_t s2 = 0;
        int32_t s3 = 0;
        for (const int8_t *q = x; q != end; q++) {
            const int32_t v = *q;
            s0 += v * w[0];
            s1 += v * w[1];
            s2 += v * w[2];
            s3 += v * w[3];
            w += 4;
        }
        y[n] = finish(p, n, s0);
        y[n + 1] = finish(p, n + 1, s1);
        y[n + 2] = finish(p, n + 2, s2);
        y[n + 3] = finish(p, n + 3, s3);
    }
    for (; n < p->out_n; n++) {
        int32_t s = 0;
        for (const int8_t *q = x; q != end; q++) {
            s += *q * *w;
            w++;
        }
        y[n] = finish(p, n, s);
    }
    ek_limit(y, p->out_n, p->requant.low, p->requant.high);
}
