/* Sum of two tensors where one multiply-add and one shift give what the model's own form gives. */
#include "ek_mve.h"

#if EK_MVE

/* Sums are shifted so that the output is the highest byte, where it saturates as it should.
 * Loads and stores that widen and narrow take r0 to r7 alone: constraint l. */
static void add(ek_add_linear_s8_params p, const int8_t *a, const int8_t *b, int8_t *y)
{
    __asm__ volatile("wlstp.32 lr, %[n], 2f\n"
                     "1:\n\t"
                     "vldrb.s32 q0, [%[a]], #4\n\t"
                     "vmul.i32 q0, q0, %[a_factor]\n\t"
                     "vldrb.s32 q1, [%[b]], #4\n\t"
                     "vmla.s32 q0, q1, %[b_factor]\n\t"
                     "vadd.i32 q0, q0, %[offset]\n\t"
                     "vqshl.s32 q0, %[shift]\n\t"
                     "vshr.s32 q0, q0, #24\n\t"
                     "vstrb.32 q0, [%[y]], #4\n\t"
                     "letp lr, 1b\n"
                     "2:"
                     : [a] "+l"(a), [b] "+l"(b), [y] "+l"(y)
                     : [n] "r"(p.size), [a_factor] "r"(p.a_factor), [b_factor] "r"(p.b_factor),
                       [offset] "r"(p.offset), [shift] "r"(24 - p.shift)
                     : "lr", "q0", "q1", "memory");
}

#else

/* Parameters are copied: a store of int8 may change anything that a pointer leads to. */
static void add(ek_add_linear_s8_params p, const int8_t *a, const int8_t *b, int8_t *y)
{
    for (int32_t i = 0; i < p.size; i++) {
        const int32_t sum = a[i] * p.a_factor + (b[i] * p.b_factor + p.offset);
        y[i] = (int8_t)ek_clamp(sum >> p.shift, -128, 127);
    }
}

#endif

void ek_add_linear_s8(const ek_add_linear_s8_params *p, const int8_t *a, const int8_t *b, int8_t *y)
{
    add(*p, a, b, y);
    ek_limit(y, p->size, p->low, p->high);
}
