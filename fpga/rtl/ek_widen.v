// Puts a beat together from PIECES words, first word lowest, for inputs wider than the store.
//
// The beat is stable while `out_valid` is high; words are taken between beats only, so a beat costs
// PIECES + 1 clocks. Cost: a flip-flop a bit.
`default_nettype none

module ek_widen #(
    parameter integer IN_WIDTH = 16,
    parameter integer PIECES = 2
) (
    input  wire                       clk,
    input  wire                       rst,
    input  wire                       in_valid,
    output wire                       in_ready,
    input  wire [IN_WIDTH-1:0]        in_data,
    output wire                       out_valid,
    input  wire                       out_ready,
    output wire [IN_WIDTH*PIECES-1:0] out_data
);
    localparam integer BITS = $clog2(PIECES + 1);
    localparam [BITS-1:0] ALL = PIECES[BITS-1:0];

    reg [IN_WIDTH*PIECES-1:0] beat;
    reg [BITS-1:0] filled;

    assign out_valid = (filled == ALL);
    assign in_ready = !out_valid;
    assign out_data = beat;

    always @(posedge clk) begin
        if (in_valid && in_ready) begin
            beat <= {in_data, beat[IN_WIDTH*PIECES-1:IN_WIDTH]};
            filled <= filled + 1'b1;
        end
        if (out_valid && out_ready) filled <= {BITS{1'b0}};
        if (rst) filled <= {BITS{1'b0}};
    end
endmodule
`default_nettype wire
