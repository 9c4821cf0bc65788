// Sends bytes: 8 data bits, no parity, one stop bit, least significant bit first.
//
// A byte is taken when `valid` and `ready` are both high. DIV is clocks per bit, at least 8.
// Cost: about 21 LUT4.
`default_nettype none

module ek_uart_tx #(
    parameter integer DIV = 104
) (
    input  wire       clk,
    input  wire       rst,
    input  wire       valid,
    output wire       ready,
    input  wire [7:0] data,
    output wire       tx
);
    localparam integer BITS = $clog2(DIV);
    localparam [BITS-1:0] WHOLE = DIV[BITS-1:0] - 1'b1;

    reg [BITS-1:0] timer;
    reg [3:0] left = 4'd0;  // bits still on the line; 0 between bytes
    reg [8:0] shift = 9'h1FF;

    assign ready = (left == 4'd0);
    assign tx = shift[0];

    always @(posedge clk) begin
        if (ready) begin
            timer <= WHOLE;
            if (valid) begin
                shift <= {data, 1'b0};
                left <= 4'd10;
            end
        end else if (timer != {BITS{1'b0}}) begin
            timer <= timer - 1'b1;
        end else begin
            timer <= WHOLE;
            shift <= {1'b1, shift[8:1]};
            left <= left - 4'd1;
        end
        if (rst) begin
            left <= 4'd0;
            shift <= 9'h1FF;
        end
    end
endmodule
`default_nettype wire
