/* Sum of two tensors by float32 fused multiply-add, as onnxruntime's QLinearAdd computes it. */
#include "ek_requant.h"

void ek_add_f32_s8(const ek_add_f32_s8_params *p, const int8_t *a, const int8_t *b, int8_t *y)
{
    for (int32_t i = 0; i < p->size; i++) {
        const int32_t v = ek_add_float32(a[i] - p->a_zero_point, p->a_scale, b[i] - p->b_zero_point,
                                         p->b_scale, p->addend);
        y[i] = (int8_t)ek_clamp(v + p->zero_point, p->low, p->high);
    }
}
