// Two streams of narrow words that repeat for ever, from one single-port RAM without initial contents
// (ek_spram), which is loaded before the first inference.
//
// A word has 4 bits, four lie in one of 16, the first in the low bits. WORDS is how many of 16 bits
// each stream has, stream 0 in the low half; both together at most 16,384. A stream of none is never
// valid. WORDS0 + WORDS1 clocks with `load_valid` fill it, stream 0 first; then `loaded` rises and
// what comes after is passed on to the next memory. A reset keeps what was loaded.
//
// The streams read in turn, every second clock, each four words ahead: both give a word in every
// clock, from the fifth after a reset or after the load.
// Cost: one SPRAM and about 130 LUT4.
`default_nettype none

module ek_spram_pair #(
    parameter [31:0] WORDS = {16'd0, 16'd16}
) (
    input  wire        clk,
    input  wire        rst,
    input  wire        load_valid,
    input  wire [15:0] load_data,
    output wire        load_pass,
    output wire [ 1:0] out_valid,
    input  wire [ 1:0] out_ready,
    output wire [ 7:0] out_data
);
    localparam [15:0] SECOND = WORDS[15:0];  // where stream 1 begins
    localparam [15:0] LAST = WORDS[15:0] + WORDS[31:16] - 16'd1;

    reg loaded = 1'b0;
    reg [13:0] load_place = 14'd0;
    wire write = load_valid & ~loaded;
    assign load_pass = load_valid & loaded;

    reg turn;
    reg [1:0] asked;  // the word that the memory gives now is this stream's
    reg [1:0] full;  // a word waits behind the one that is given
    wire [1:0] ask = {turn & ~full[1], {~turn} & ~full[0]} & {WORDS[31:16] != 16'd0, WORDS[15:0] != 16'd0};
    wire read = loaded & (ask != 2'd0);
    wire [27:0] places;
    wire [13:0] place = write ? load_place : turn ? places[27:14] : places[13:0];

    wire [15:0] kept;
    ek_spram u_ram (
        .clk(clk), .enable(write | read), .write({2{write}}), .addr(place),
        .write_data(load_data), .read_data(kept)
    );

    always @(posedge clk) begin
        if (write) load_place <= load_place + 14'd1;
        if (write & (load_place == LAST[13:0])) loaded <= 1'b1;
        turn  <= ~turn;
        asked <= ask & {2{loaded}};
        if (rst) begin
            turn  <= 1'b0;
            asked <= 2'd0;
        end
    end

    genvar i;
    generate
        for (i = 0; i < 2; i = i + 1) begin : g_stream
            localparam [15:0] FIRST = i == 0 ? 16'd0 : SECOND;
            localparam [15:0] END = i == 0 ? SECOND - 16'd1 : LAST;
            reg [13:0] at;
            reg [15:0] now, next;
            reg [1:0] left;
            reg valid;
            wire take = valid & out_ready[i];
            wire last = left == 2'd0;
            wire move = full[i] & ({~valid} | (take & last));
            assign places[14*i+:14] = at;
            assign out_valid[i] = valid;
            assign out_data[4*i+:4] = now[3:0];
            always @(posedge clk) begin
                if (loaded & ask[i]) at <= at == END[13:0] ? FIRST[13:0] : at + 14'd1;
                if (asked[i]) next <= kept;
                if (asked[i]) full[i] <= 1'b1;
                else if (move) full[i] <= 1'b0;
                if (move) now <= next;
                else if (take) now <= {4'd0, now[15:4]};
                if (move) left <= 2'd3;
                else if (take) left <= left - 2'd1;
                if (move) valid <= 1'b1;
                else if (take & last) valid <= 1'b0;
                if (rst) begin
                    at <= FIRST[13:0];
                    full[i] <= 1'b0;
                    valid <= 1'b0;
                end
            end
            if (i == 0) begin : g_high
                wire unused = &{1'b0, FIRST[15:14], END[15:14], LAST[15:14], 1'b0};
            end else begin : g_all
                wire unused = &{1'b0, FIRST[15:14], END[15:14], 1'b0};
            end
        end
    endgenerate
endmodule

`default_nettype wire
