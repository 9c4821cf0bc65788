// Drives one ek_core under an event-driven simulator: what ek_bench.cpp does, read there first.
//
// Parameters: widths of the two streams. Plusargs: inferences, in_beats, out_beats, load_words,
// seed, idle_limit, rest_cycles; the files in (beats, most significant byte first), words (as in), and out, a
// text: "o HEX" for each output beat, "s CYCLE" and "e CYCLE" for the start and end of an
// inference, "x STATUS CYCLE" where the run failed.
`timescale 1ns / 1ps
`default_nettype none

module ek_bench #(
    parameter IN_WIDTH = 8,
    parameter OUT_WIDTH = 8
);
  reg clk, rst, in_valid, out_ready, load_valid;
  reg [IN_WIDTH-1:0] in_data;
  reg [15:0] load_data;
  wire in_ready, out_valid;
  wire [OUT_WIDTH-1:0] out_data;
  reg [OUT_WIDTH-1:0] kept;

  integer inferences, in_beats, out_beats, load_words, seed, idle_limit, rest_cycles;
  integer in_file, word_file, out_file, count, in_share, out_share;
  integer sent, got, cycle, moved, done, in_total, out_total;
  reg stress, have, offered, held, took, gave;
  reg [8*512-1:0] name;

  ek_core core (
      .clk(clk),
      .rst(rst),
      .in_valid(in_valid),
      .in_ready(in_ready),
      .in_data(in_data),
      .out_valid(out_valid),
      .out_ready(out_ready),
      .out_data(out_data),
      .load_valid(load_valid),
      .load_data(load_data)
  );

  task tick;
    begin
      #500 clk = 1'b1;
      #500 clk = 1'b0;
    end
  endtask

  task fail(input integer status);
    begin
      $fwrite(out_file, "x %0d %0d\n", status, cycle);
      $finish;
    end
  endtask

  // How many of 4 cycles a side is willing, drawn anew for every stretch.
  function integer draw(input integer unused);
    draw = ($random(seed) & 7) == 0 ? 0 : ($random(seed) & 3) + 1;
  endfunction

  initial begin
    count = $value$plusargs("inferences=%d", inferences);
    count = $value$plusargs("in_beats=%d", in_beats);
    count = $value$plusargs("out_beats=%d", out_beats);
    count = $value$plusargs("load_words=%d", load_words);
    count = $value$plusargs("seed=%d", seed);
    stress = seed != 0;
    count = $value$plusargs("idle_limit=%d", idle_limit);
    count = $value$plusargs("rest_cycles=%d", rest_cycles);
    count = $value$plusargs("in=%s", name);
    in_file = $fopen(name, "rb");
    count = $value$plusargs("words=%s", name);
    word_file = $fopen(name, "rb");
    count = $value$plusargs("out=%s", name);
    out_file = $fopen(name, "w");
    clk = 1'b0;
    rst = 1'b1;
    in_valid = 1'b0;
    out_ready = 1'b0;
    load_valid = 1'b0;
    in_data = {IN_WIDTH{1'b0}};
    load_data = 16'd0;
    repeat (4) tick;
    rst = 1'b0;
    for (sent = 0; sent < load_words; sent = sent + 1) begin
      count = $fread(load_data, word_file);
      load_valid = 1'b1;
      tick;
    end
    load_valid = 1'b0;
    repeat (rest_cycles) tick;
    in_total = inferences * in_beats;
    out_total = inferences * out_beats;
    sent = 0;
    got = 0;
    cycle = 0;
    moved = 0;
    done = 0;
    have = 1'b0;
    offered = 1'b0;
    held = 1'b0;
    in_share = 4;
    out_share = 4;
    while (got < out_total || cycle < done + 64) begin
      if (stress && cycle % 32 == 0) begin
        in_share = draw(0);
        out_share = draw(0);
      end
      if (!have && sent < in_total) begin
        count = $fread(in_data, in_file);
        have = 1'b1;
      end
      offered = have && (offered || !stress || ($random(seed) & 3) < in_share);
      in_valid = offered;
      out_ready = !stress || ($random(seed) & 3) < out_share;
      #900;
      if (held && !(out_valid === 1'b1)) fail(4);
      if (out_valid !== 1'b0 && out_valid !== 1'b1) fail(5);
      if (in_ready !== 1'b0 && in_ready !== 1'b1) fail(5);
      if (held && out_data !== kept) fail(4);
      if (out_valid && got == out_total) fail(4);
      kept = out_data;
      held = out_valid && !out_ready;
      took = offered && in_ready;
      gave = out_valid && out_ready;
      if (took) begin
        if (sent % in_beats == 0) $fwrite(out_file, "s %0d\n", cycle);
        sent = sent + 1;
        have = 1'b0;
        offered = 1'b0;
        moved = cycle;
      end
      if (gave) begin
        $fwrite(out_file, "o %h\n", out_data);
        got = got + 1;
        if (got % out_beats == 0) $fwrite(out_file, "e %0d\n", cycle);
        moved = cycle;
        done = cycle;
      end
      tick;
      cycle = cycle + 1;
      if (cycle - moved > idle_limit && got < out_total) fail(3);
    end
    $finish;
  end
endmodule

`default_nettype wire
