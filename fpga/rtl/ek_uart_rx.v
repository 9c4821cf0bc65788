// Receives bytes: 8 data bits, no parity, one stop bit.
//
// The line passes two flip-flops; a start bit is looked at again in its middle, and a byte whose
// stop bit is low is dropped. `valid` is high for one clock with the byte on `data`.
// DIV is clocks per bit, at least 8. Cost: about 21 LUT4.
`default_nettype none

module ek_uart_rx #(
    parameter integer DIV = 104
) (
    input  wire       clk,
    input  wire       rst,
    input  wire       rx,
    output wire       busy,   // within a byte
    output reg        valid,
    output wire [7:0] data
);
    localparam integer BITS = $clog2(DIV);
    localparam [BITS-1:0] WHOLE = DIV[BITS-1:0] - 1'b1;
    localparam [BITS-1:0] HALF = WHOLE >> 1;

    reg [1:0] sync = 2'b11;
    reg [BITS-1:0] timer;
    reg [3:0] left;  // samples to take: start, 8 data, stop; 0 between bytes
    reg [7:0] shift;

    wire line = sync[1];
    wire sample = (timer == {BITS{1'b0}});
    assign data = shift;
    assign busy = (left != 4'd0);

    always @(posedge clk) begin
        sync <= {sync[0], rx};
        valid <= 1'b0;
        if (left == 4'd0) begin
            timer <= HALF;
            if (!line) left <= 4'd10;
        end else if (!sample) begin
            timer <= timer - 1'b1;
        end else begin
            timer <= WHOLE;
            left <= left - 4'd1;
            if (left == 4'd10) begin
                if (line) left <= 4'd0;  // a glitch, and no start bit
            end else if (left == 4'd1) begin
                valid <= line;
            end else begin
                shift <= {line, shift[7:1]};
            end
        end
        if (rst) begin
            left <= 4'd0;
            valid <= 1'b0;
        end
    end
endmodule
`default_nettype wire
