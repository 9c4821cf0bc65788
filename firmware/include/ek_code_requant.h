/* The requantized form of ek_codes.h, after a header that multiplies. */
#ifndef EK_CODE_REQUANT_H
#define EK_CODE_REQUANT_H

/* Outputs of `count` channels from `first` on; parameters are copied, see ek_conv2d_s8.c. */
EK_LOOP void ek_code_store(ek_requant requant, const int32_t *bias, const int32_t *sums,
                           const int32_t *less, int32_t factor, int32_t first, int32_t count,
                           int32_t n, int8_t *y, int32_t out_c)
{
    for (int32_t c = first; c < first + count; c++) {
        const ek_scale scale = ek_scale_of(&requant, c);
        for (int32_t slot = 0; slot < n; slot++) {
            y[slot * out_c + c] = ek_apply(&scale, sums[slot] * factor - less[slot] + bias[c]);
        }
        sums += EK_CODE_PIXELS;
    }
}

static inline void ek_code_run_all(const ek_codes_s8_params *p, int32_t *scratch, const int8_t *x,
                                   int8_t *y)
{
    const ek_codes *c = &p->codes;
    const int32_t pixels = c->window.out_h * c->window.out_w;
    int32_t *windows = &scratch[EK_CODE_CHANNELS * EK_CODE_PIXELS];
    int8_t *out = y;
    for (int32_t pixel = 0; pixel < pixels;) {
        const int32_t n = pixels - pixel < EK_CODE_PIXELS ? 1 : EK_CODE_PIXELS;
        int32_t less[EK_CODE_PIXELS];
        ek_code_windows(c, windows, x, pixel, n, less);
        for (int32_t slot = 0; slot < n; slot++) {
            less[slot] *= c->offset;
        }
        for (int32_t first = 0; first < c->out_c; first += EK_CODE_CHANNELS) {
            const int32_t left = c->out_c - first;
            const int32_t count = left < EK_CODE_CHANNELS ? left : EK_CODE_CHANNELS;
            ek_code_multiply(c, windows, first, count, n, scratch);
            ek_code_store(p->requant, p->bias, scratch, less, c->factor, first, count, n, out,
                          c->out_c);
        }
        out += n * c->out_c;
        pixel += n;
    }
    ek_limit(y, pixels * c->out_c, p->requant.low, p->requant.high);
}

#endif
