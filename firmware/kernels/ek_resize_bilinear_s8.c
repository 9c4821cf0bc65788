/* An image of another size, each pixel between four pixels of the input. */
#include "edgekit.h"

/* The four weights of an output pixel add up to 2^20. */
typedef struct {
    const int8_t *at[4];
    int32_t weight[4];
} corners;

static void pixel(const corners *p, int32_t channels, int8_t *y)
{
    for (int32_t c = 0; c < channels; c++) {
        const int32_t sum = p->at[0][c] * p->weight[0] + p->at[1][c] * p->weight[1] +
                            p->at[2][c] * p->weight[2] + p->at[3][c] * p->weight[3];
        /* C's division truncates towards zero: halves go away from it. */
        y[c] = (int8_t)((sum + (sum > 0 ? 1 << 19 : -(1 << 19))) / (1 << 20));
    }
}

void ek_resize_bilinear_s8(const ek_resize_bilinear_s8_params *p, const int8_t *x, int8_t *y)
{
    const int32_t line = p->in_w * p->channels;
    for (int32_t i = 0; i < p->out_h; i++) {
        const int16_t *row = &p->places[3 * i];
        for (int32_t j = 0; j < p->out_w; j++) {
            const int16_t *column = &p->places[3 * (p->out_h + j)];
            corners found;
            for (int32_t k = 0; k < 4; k++) {
                const int32_t low = k / 2;
                const int32_t right = k % 2;
                found.at[k] = &x[row[low] * line + column[right] * p->channels];
                found.weight[k] = (low != 0 ? row[2] : 1024 - row[2]) *
                                  (right != 0 ? column[2] : 1024 - column[2]);
            }
            pixel(&found, p->channels, y);
            y += p->channels;
        }
    }
}
