// Where the window of an output pixel lies over the image.
#ifndef EK_WINDOW_HPP
#define EK_WINDOW_HPP

namespace ek
{

// A cell of the window; outside the image it is padding. A signal is an image of one row.
struct Place {
    int pixel;
    bool inside;
};

// N names HEIGHT, WIDTH, KERNEL_WIDTH, STRIDE_Y, STRIDE_X, DILATION_Y, DILATION_X, TOP, LEFT.
template <typename N> Place place(int row, int column, int tap)
{
    const int y = row * N::STRIDE_Y - N::TOP + tap / N::KERNEL_WIDTH * N::DILATION_Y;
    const int x = column * N::STRIDE_X - N::LEFT + tap % N::KERNEL_WIDTH * N::DILATION_X;
    const bool inside = y >= 0 && y < N::HEIGHT && x >= 0 && x < N::WIDTH;
    return {inside ? y * N::WIDTH + x : 0, inside};
}

} // namespace ek

#endif
