// The shell as on a part, for counting cells: nobody skips time.
`default_nettype none

module ek_counted #(
    parameter integer LINK_SPRAM = 0
) (
    input  wire clk,
    input  wire slow_clk,
    input  wire rst,
    input  wire rx,
    output wire tx,
    output wire mark,
    output wire awake,
    output wire running
);
    ek_shell #(
        .IN_WIDTH(64), .INPUT_BYTES(8), .SLOTS(255), .CYCLE_BITS(8), .FLYING_BITS(3), .DIV(8), .SLEEPS(1),
        .LINK_SPRAM(LINK_SPRAM)
    ) u_shell (
        .clk(clk), .slow_clk(slow_clk), .rst(rst), .twin(1'b0), .skip(24'd0), .ahead(), .rx(rx),
        .tx(tx), .mark(mark), .awake(awake), .running(running), .idle()
    );
endmodule
`default_nettype wire
