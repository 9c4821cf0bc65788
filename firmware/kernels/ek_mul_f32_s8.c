/* Product of two tensors with a float32 scale, as onnxruntime rounds it. */
#include "ek_requant.h"

/* Parameters are copied: a store of int8 may change anything that a pointer leads to. */
static void mul(ek_mul_f32_s8_params p, const int8_t *a, const int8_t *b, int8_t *y)
{
    for (int32_t row = 0; row < p.outer; row++) {
        for (int32_t i = 0; i < p.inner; i++) {
            const int32_t acc = (a[i] - p.a_zero_point) * (b[i] - p.b_zero_point);
            const int32_t v = ek_scale_add_float32(acc, p.scale, p.addend) + p.zero_point;
            y[i] = (int8_t)ek_clamp(v, p.low, p.high);
        }
        a += p.inner;
        y += p.inner;
    }
}

void ek_mul_f32_s8(const ek_mul_f32_s8_params *p, const int8_t *a, const int8_t *b, int8_t *y)
{
    mul(*p, a, b, y);
}
