// A stand-in for a network: each output byte counts ones, three register stages that stall together.
`default_nettype none

module ek_core (
    input  wire        clk,
    input  wire        rst,
    input  wire        in_valid,
    output wire        in_ready,
    input  wire [63:0] in_data,
    output wire        out_valid,
    input  wire        out_ready,
    output wire [15:0] out_data,
    input  wire        load_valid,
    input  wire [15:0] load_data
);
    reg [2:0] valid;
    reg [63:0] x;
    reg [6:0] ones, total;
    reg [7:0] low, first;
    integer i;
    wire step = !valid[2] || out_ready;

    assign in_ready = step;
    assign out_valid = valid[2];
    assign out_data = {first, 1'b0, total};

    always @* begin
        ones = 7'd0;
        for (i = 0; i < 64; i = i + 1) ones = ones + {6'd0, x[i]};
    end

    reg [6:0] count;
    always @(posedge clk) begin
        if (step) begin
            valid <= {valid[1:0], in_valid};
            if (in_valid) x <= in_data;
            count <= ones;
            low <= x[7:0];
            total <= count;
            first <= low;
        end
        if (rst) valid <= 3'd0;
    end
    wire unused = load_valid || (load_data != 16'd0);
endmodule
`default_nettype wire
