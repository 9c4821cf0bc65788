// How many of WIDTH bits are 1, without a clock: two halves and one bit over as the carry of their sum.
//
// Three bits are a full adder; 2 m + 1 bits are the counts of m and m bits, added with the last bit as
// carry-in, so each adder is used to the full. Cost: about 1.4 LUT4 a bit.
`default_nettype none

module ek_count #(
    parameter WIDTH = 7,
    parameter COUNT_BITS = $clog2(WIDTH + 1)
) (
    input  wire [     WIDTH-1:0] bits,
    output wire [COUNT_BITS-1:0] count
);
    generate
        if (WIDTH == 1) begin : g_one
            assign count = bits;
        end else if (WIDTH == 2) begin : g_two
            assign count = {bits[1] & bits[0], bits[1] ^ bits[0]};
        end else if (WIDTH == 3) begin : g_three
            assign count = {
                (bits[0] & bits[1]) | (bits[2] & (bits[0] | bits[1])), bits[0] ^ bits[1] ^ bits[2]
            };
        end else begin : g_halves
            localparam HIGH = (WIDTH - 1) / 2;
            localparam LOW = WIDTH - 1 - HIGH;
            localparam LOW_BITS = $clog2(LOW + 1);
            localparam HIGH_BITS = $clog2(HIGH + 1);
            wire [ LOW_BITS-1:0] low;
            wire [HIGH_BITS-1:0] high;
            ek_count #(
                .WIDTH(LOW)
            ) count_low (
                .bits (bits[LOW-1:0]),
                .count(low)
            );
            ek_count #(
                .WIDTH(HIGH)
            ) count_high (
                .bits (bits[LOW+HIGH-1:LOW]),
                .count(high)
            );
            assign count = {{COUNT_BITS - LOW_BITS{1'b0}}, low} + {{COUNT_BITS - HIGH_BITS{1'b0}}, high}
                + {{COUNT_BITS - 1{1'b0}}, bits[WIDTH-1]};
        end
    endgenerate
endmodule

`default_nettype wire
