// AXI streams of 32-bit words: what enters and leaves the accelerator. `last` marks the final word
// of a tensor, which is how a DMA engine finds its end.
#ifndef EK_STREAM_HPP
#define EK_STREAM_HPP

#include "ek_int.hpp"

#if defined(__SYNTHESIS__) || defined(__VITIS_HLS__) || defined(EK_VENDOR_TYPES)

#include <ap_axi_sdata.h>
#include <hls_stream.h>

namespace ek
{
using Word = ap_axiu<32, 0, 0, 0>;
using Stream = hls::stream<Word>;
} // namespace ek

#else

#include <cstddef>
#include <vector>

namespace ek
{

struct Word {
    Unsigned<32> data;
    Unsigned<4> keep;
    Unsigned<4> strb;
    Unsigned<1> last;
};

// Stands for the vendor's stream in simulation.
class Stream
{
  public:
    Word read()
    {
        if (words_.empty()) {
            return Word(); // the answer is then wrong, and no accident
        }
        const Word word = words_[next_++];
        if (next_ == words_.size()) {
            words_.clear();
            next_ = 0;
        }
        return word;
    }
    void write(const Word &word) { words_.push_back(word); }
    bool empty() const { return words_.empty(); }

  private:
    std::vector<Word> words_;
    std::size_t next_ = 0;
};

} // namespace ek

#endif

namespace ek
{

inline void send(unsigned data, bool last, Stream &to)
{
    Word word;
    word.data = data;
    word.keep = 0xFU;
    word.strb = 0xFU;
    word.last = last ? 1U : 0U;
    to.write(word);
}

// Bits lie in words of 32, the lowest first; every row of COLUMNS bits begins with a new word.
template <int ROWS, int COLUMNS> void receive_bits(Stream &from, Bit y[ROWS * COLUMNS])
{
#pragma HLS INLINE off
    unsigned data = 0;
    for (int row = 0; row < ROWS; ++row) {
        for (int column = 0; column < COLUMNS; ++column) {
#pragma HLS PIPELINE II=1
            if (column % 32 == 0) {
                data = from.read().data.to_uint();
            }
            y[row * COLUMNS + column] = data >> (column % 32) & 1U;
        }
    }
}

template <int ROWS, int COLUMNS> void send_bits(const Bit x[ROWS * COLUMNS], Stream &to)
{
#pragma HLS INLINE off
    unsigned data = 0;
    for (int row = 0; row < ROWS; ++row) {
        for (int column = 0; column < COLUMNS; ++column) {
#pragma HLS PIPELINE II=1
            data = (column % 32 == 0 ? 0U : data) | x[row * COLUMNS + column].to_uint()
                                                        << (column % 32);
            if (column % 32 == 31 || column == COLUMNS - 1) {
                send(data, row == ROWS - 1 && column == COLUMNS - 1, to);
            }
        }
    }
}

// Integers of WIDTH bits (8, 16 or 32) lie in words of 32, the lowest first, without gaps.
template <int COUNT, int WIDTH, typename Y> void receive_integers(Stream &from, Y y[COUNT])
{
    constexpr int EACH = 32 / WIDTH;
#pragma HLS INLINE off
    unsigned data = 0;
    for (int i = 0; i < COUNT; ++i) {
#pragma HLS PIPELINE II=1
        if (i % EACH == 0) {
            data = from.read().data.to_uint();
        }
        y[i] = Signed<WIDTH>(static_cast<int>(data >> (i % EACH * WIDTH))).to_int();
    }
}

template <int COUNT, int WIDTH, typename X> void send_integers(const X x[COUNT], Stream &to)
{
    constexpr int EACH = 32 / WIDTH;
    constexpr unsigned MASK = ~0U >> (32 - WIDTH);
#pragma HLS INLINE off
    unsigned data = 0;
    for (int i = 0; i < COUNT; ++i) {
#pragma HLS PIPELINE II=1
        const unsigned bits = static_cast<unsigned>(x[i].to_int()) & MASK;
        data = (i % EACH == 0 ? 0U : data) | bits << (i % EACH * WIDTH);
        if (i % EACH == EACH - 1 || i == COUNT - 1) {
            send(data, i == COUNT - 1, to);
        }
    }
}

} // namespace ek

#endif
