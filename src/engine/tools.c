/* The table of formats. Templates differ in a thousand ways, but what a call looks like shows in
 * the literals that they wrap around it. */
#include "engine/tools.h"

/* The first row whose strings are all there counts. */
static const struct qn_tool_format formats[] = {
    {{"<arg_key>"}, QN_CALLS_OTHER},           // GLM 4.5: pairs of tags
    {{"｜DSML｜"}, QN_CALLS_OTHER},            // DeepSeek V3.2
    {{"<|tool_call_start|>"}, QN_CALLS_OTHER}, // LFM2: Python
    {{"<|tool_call>"}, QN_CALLS_OTHER},        // Gemma 4: an object notation of its own
    {{"<minimax:tool_call>"}, QN_CALLS_OTHER},
    {{"<|tools_prefix|>"}, QN_CALLS_OTHER}, // Apertus: {name: arguments}
    {{"<seed:tool_call>"},
     QN_CALLS_TAGGED,
     "<seed:tool_call>",
     "<function=",
     ">",
     "</function>",
     "</seed:tool_call>"},
    // Qwen3-Coder, Qwen3.5, Nemotron 3
    {{"<function=", "<parameter="},
     QN_CALLS_TAGGED,
     "<tool_call>",
     "<function=",
     ">",
     "</function>",
     "</tool_call>"},
    {{"[TOOL_CALLS]", "[ARGS]"}, QN_CALLS_NAMED, "[TOOL_CALLS]", "", "[ARGS]", "", ""},
    {{"[TOOL_CALLS]"}, QN_CALLS_JSON, "[TOOL_CALLS]", "[", "arguments", "", ""},
    // DeepSeek V3 and R1, then V3.1
    {{"<｜tool▁calls▁begin｜>", "```json"},
     QN_CALLS_NAMED,
     "<｜tool▁calls▁begin｜>",
     "<｜tool▁call▁begin｜>function<｜tool▁sep｜>",
     "\n```json\n",
     "```<｜tool▁call▁end｜>",
     "<｜tool▁calls▁end｜>"},
    {{"<｜tool▁calls▁begin｜>"},
     QN_CALLS_NAMED,
     "<｜tool▁calls▁begin｜>",
     "<｜tool▁call▁begin｜>",
     "<｜tool▁sep｜>",
     "<｜tool▁call▁end｜>",
     "<｜tool▁calls▁end｜>"},
    {{"<tool_call>"}, QN_CALLS_JSON, "<tool_call>", "", "arguments", "", "</tool_call>"},
    {{"<|tool_call|>"}, QN_CALLS_JSON, "<|tool_call|>", "[", "arguments", "", "<|/tool_call|>"},
    {{"<tool_calls>"}, QN_CALLS_JSON, "<tool_calls>", "[", "arguments", "", "</tool_calls>"},
    {{"<TOOLCALL>"}, QN_CALLS_JSON, "<TOOLCALL>", "[", "arguments", "", "</TOOLCALL>"},
    {{"<|function_call|>"}, QN_CALLS_JSON, "<|function_call|>", "", "arguments", "", ""},
    {{"<|START_ACTION|>"},
     QN_CALLS_JSON,
     "<|START_ACTION|>",
     "[",
     "parameters",
     "tool_name",
     "<|END_ACTION|>"},
    // Functionary 3.1 and 3.2; the latter names "all" for text
    {{"<function="}, QN_CALLS_NAMED, "<function=", "", ">", "</function>", ""},
    {{">>>", "recipient"}, QN_CALLS_NAMED, ">>>", "", "\n", "", ""},
    // Llama 3.1 to 3.3
    {{"\"parameters\": ", "{\"name\": "}, QN_CALLS_JSON, "", "", "parameters", "", ""},
};

static const struct qn_think_format thinks[] = {
    {"<think>", "</think>"},
    {"<seed:think>", "</seed:think>"},
    {"<|START_THINKING|>", "<|END_THINKING|>"},
    {"[THINK]", "[/THINK]"},
};

static bool holds(struct qn_str text, const char *what) {
    return what == NULL || qn_str_find(text, qn_str_from(what), 0) != SIZE_MAX;
}

const struct qn_tool_format *qn_tool_format_of(struct qn_str chat_template) {
    if (!holds(chat_template, "tools"))
        return NULL;
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (holds(chat_template, formats[i].seen[0]) && holds(chat_template, formats[i].seen[1]))
            return formats[i].style == QN_CALLS_OTHER ? NULL : &formats[i];
    return NULL;
}

const struct qn_think_format *qn_think_format_of(struct qn_str chat_template) {
    for (size_t i = 0; i < sizeof thinks / sizeof *thinks; i++)
        if (holds(chat_template, thinks[i].close))
            return &thinks[i];
    return NULL;
}
