// Matches of bits with ternary weights: how many i with used[i] have x[i] == sign[i].
//
// A tree of counters: two counts and one bit more, its carry-in, are added on one carry chain; at
// the leaves three bits meet in a compressor. Weights that are constants cost nothing.
// Parameters: INPUTS, at least 1; the count has $clog2(INPUTS + 1) bits.
// Timing: combinational. Cost: about 1.2 look-up tables an input.
`default_nettype none

module ek_popcount #(
    parameter INPUTS = 64
) (
    input  wire [INPUTS-1:0] x,
    input  wire [INPUTS-1:0] sign,
    input  wire [INPUTS-1:0] used,
    output wire [$clog2(INPUTS + 1)-1:0] count
);
    localparam WIDTH = $clog2(INPUTS + 1);
    generate
        if (INPUTS == 1) begin : gen_one
            assign count = used & ~(x ^ sign);
        end else if (INPUTS <= 3) begin : gen_three
            wire [2:0] match = {{(3 - INPUTS){1'b0}}, used & ~(x ^ sign)};
            ek_compressor #(.WIDTH(1)) add (
                .a(match[0]), .b(match[1]), .c(match[2]), .sum(count[0]), .carry(count[1])
            );
        end else begin : gen_more
            localparam LOW = (INPUTS - 1) / 2;
            localparam HIGH = INPUTS - 1 - LOW;
            localparam LOW_WIDTH = $clog2(LOW + 1);
            localparam HIGH_WIDTH = $clog2(HIGH + 1);
            wire [LOW_WIDTH-1:0] low;
            wire [HIGH_WIDTH-1:0] high;
            wire last = used[INPUTS-1] & ~(x[INPUTS-1] ^ sign[INPUTS-1]);
            wire bottom_unused;
            ek_popcount #(.INPUTS(LOW)) lower (
                .x(x[LOW-1:0]), .sign(sign[LOW-1:0]), .used(used[LOW-1:0]), .count(low)
            );
            ek_popcount #(.INPUTS(HIGH)) upper (
                .x(x[INPUTS-2:LOW]), .sign(sign[INPUTS-2:LOW]), .used(used[INPUTS-2:LOW]),
                .count(high)
            );
            assign {count, bottom_unused} = {{(WIDTH - LOW_WIDTH){1'b0}}, low, 1'b1}
                                          + {{(WIDTH - HIGH_WIDTH){1'b0}}, high, last};
        end
    endgenerate
endmodule

`default_nettype wire
