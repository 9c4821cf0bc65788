/* Convolution: each pair of output pixels is gathered into scratch, packed two to a word, and
 * multiplied with all filters, four at a time. Pixels pair up across row ends. */
#include "ek_lanes.h"

/* Top left cell of a pixel's window, in input coordinates. */
typedef struct {
    int32_t y;
    int32_t x;
} corner;

static corner corner_of(const ek_window *w, int32_t pixel)
{
    const int32_t row = pixel / w->out_w;
    corner c;
    c.y = row * w->stride_h - w->pad_top;
    c.x = (pixel - row * w->out_w) * w->stride_w - w->pad_left;
    return c;
}

/* True where all columns of the window lie inside the input, side by side. */
static int32_t is_run(const ek_window *w, corner c)
{
    return w->dilation_w == 1 && c.x >= 0 && c.x + w->kernel_w <= w->in_w;
}

/* The cell at (y, x), or `pad` outside the input. */
static const int8_t *cell(const ek_window *w, const int8_t *x, int32_t row, int32_t column,
                          const int8_t *pad)
{
    if (row < 0 || row >= w->in_h || column < 0 || column >= w->in_w) {
        return pad;
    }
    return &x[(row * w->in_w + column) * w->in_c];
}

static void gather_border_row(const ek_window *w, const int8_t *x, corner a, corner b,
                              const int8_t *pad, const int8_t *pad_b, int32_t *out)
{
    for (int32_t kx = 0; kx < w->kernel_w; kx++) {
        const int32_t shift = kx * w->dilation_w;
        ek_pack(out, cell(w, x, a.y, a.x + shift, pad), cell(w, x, b.y, b.x + shift, pad_b),
                w->in_c);
        out += w->in_c;
    }
}

/* Pack the windows at corners a and b. `pad_b` stands for all of b if b is outside. */
static void gather(const ek_window *w, const int8_t *x, corner a, corner b, const int8_t *pad,
                   const int8_t *pad_b, int32_t *out)
{
    const int32_t runs = is_run(w, a) != 0 && is_run(w, b) != 0;
    const int32_t length = w->kernel_w * w->in_c;
    for (int32_t ky = 0; ky < w->kernel_h; ky++) {
        if (runs != 0 && a.y >= 0 && a.y < w->in_h && b.y >= 0 && b.y < w->in_h) {
            ek_pack(out, &x[(a.y * w->in_w + a.x) * w->in_c], &x[(b.y * w->in_w + b.x) * w->in_c],
                    length);
        } else {
            gather_border_row(w, x, a, b, pad, pad_b, out);
        }
        out += length;
        a.y += w->dilation_h;
        b.y += w->dilation_h;
    }
}

/* All output channels of two pixels. */
static void multiply(const ek_conv2d_s8_params *p, const int32_t *pairs, int32_t depth, int8_t *a,
                     int8_t *b)
{
    const int8_t *w = p->weights;
    const int32_t *end = &pairs[depth];
    int32_t c = 0;
    for (; c + 4 <= p->out_c; c += 4) {
        int64_t s0 = EK_LANE_START;
        int64_t s1 = EK_LANE_START;
        int64_t s2 = EK_LANE_START;
        int64_t s3 = EK_LANE_START;
        for (const int32_t *x = pairs; x != end; x++) {
            const int32_t v = *x;
            s0 += (int64_t)v * w[0];
            s1 += (int64_t)v * w[1];
            s2 += (int64_t)v * w[2];
            s3 += (int64_t)v * w[3];
            w += 4;
        }
        ek_store_pair(&p->requant, c, p->bias[c], s0, p->lanes, &a[c], &b[c]);
        ek_store_pair(&p->requant, c + 1, p->bias[c + 1], s1, p->lanes, &a[c + 1], &b[c + 1]);
        ek_store_pair(&p->requant, c + 2, p->bias[c + 2], s2, p->lanes, &a[c + 2], &b[c + 2]);
        ek_store_pair(&p->requant, c + 3, p->bias[c + 3], s3, p->lanes, &a[c + 3], &b[c + 3]);
    }
    for (; c < p->out_c; c++) {
        int64_t s = EK_LANE_START;
        for (const int32_t *x = pairs; x != end; x++) {
            s += (int64_t)*x * *w;
            w++;
        }
        ek_store_pair(&p->requant, c, p->bias[c], s, p->lanes, &a[c], &b[c]);
    }
}

void ek_conv2d_s8(const ek_conv2d_s8_params *p, int32_t *scratch, const int8_t *x, int8_t *y)
{
    const ek_window *w = &p->window;
    const int32_t depth = w->kernel_h * w->kernel_w * w->in_c;
    const int32_t pixels = w->out_h * w->out_w;
    int8_t *pad = (int8_t *)&scratch[depth];
    int8_t *zeros = &pad[w->in_c];
    for (int32_t i = 0; i < w->in_c; i++) {
        pad[i] = (int8_t)p->pad_value;
        zeros[i] = 0;
    }
    for (int32_t pixel = 0; pixel < pixels; pixel += p->lanes) {
        const int32_t paired = p->lanes == 2 && pixel + 1 < pixels;
        const corner outside = {-1 - w->in_h - w->kernel_h * w->dilation_h, 0};
        const corner a = corner_of(w, pixel);
        const corner b = paired != 0 ? corner_of(w, pixel + 1) : outside;
        int8_t *out = &y[pixel * p->out_c];
        gather(w, x, a, b, pad, paired != 0 ? pad : zeros, scratch);
        multiply(p, scratch, depth, out, paired != 0 ? &out[p->out_c] : out);
    }
    ek_limit(y, pixels * p->out_c, p->requant.low, p->requant.high);
}
