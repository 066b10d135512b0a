#!/usr/bin/env python3
"""Records what Jinja makes of chat templates and messages, into tests/data/engine/chat_cases.json.

    python3 chat_record.py MODELS      (needs: pip install jinja2 transformers gguf; MODELS as LODE_MODELS)

The templates: that of SmolLM2 as its GGUF file carries it; two of the same family in other spellings; and one for
each family of models, written here from the description of its format."""
import copy
import json
import os
import sys

import gguf
from transformers.utils.chat_template_utils import _compile_jinja_template

DATA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../data/engine")

PLAIN = ("{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>'"
         " + '\\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}")
DOTTED = """{%- if messages[0]["role"] != "system" %}
    {{- "<|im_start|>system\\nAnswer in one\\nsentence.<|im_end|>\\n" }}
{%- endif %}
{%- for message in messages %}
    {{- "<|im_start|>" + message.role + "\\n" + message.content + "<|im_end|>" + "\\n" }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- "<|im_start|>assistant\\n" }}
{%- endif %}
"""
QWEN25 = """{%- macro turn(role, text) %}
{{- '<|im_start|>' + role + '\\n' + text + '<|im_end|>\\n' }}
{%- endmacro %}
{%- set first = messages[0] if messages[0].role == 'system' else none %}
{%- set system = first.content if first is not none else 'Default system.' %}
{%- if tools %}
{%- set ns = namespace(text=system ~ "\\n\\n# Tools\\n\\n<tools>") %}
{%- for tool in tools %}{% set ns.text = ns.text ~ "\\n" ~ (tool | tojson) %}{% endfor %}
{%- set system = ns.text + "\\n</tools>\\n\\n<tool_call>\\n{\\"name\\": <name>, \\"arguments\\": <object>}\\n</tool_call>" %}
{%- endif %}
{{- turn('system', system) }}
{%- for m in (messages[1:] if first is not none else messages) %}
{%- if m.role == 'assistant' and m.tool_calls %}
{{- '<|im_start|>assistant' + ('\\n' + m.content if m.content else '') }}
{%- for call in m.tool_calls %}{% set f = call.function if call.function is defined else call %}
{{- '\\n<tool_call>\\n{"name": "' ~ f.name ~ '", "arguments": ' ~ f.arguments | tojson ~ '}\\n</tool_call>' }}
{%- endfor %}
{{- '<|im_end|>\\n' }}
{%- elif m.role == 'tool' %}
{%- if loop.first or loop.previtem.role != 'tool' %}{{ '<|im_start|>user' }}{% endif %}
{{- '\\n<tool_response>\\n' ~ m.content ~ '\\n</tool_response>' }}
{%- if loop.last or loop.nextitem.role != 'tool' %}{{ '<|im_end|>\\n' }}{% endif %}
{%- else %}{{ turn(m.role, m.content) }}{% endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}
"""
# No default system turn; thoughts before the last real question are dropped, those after it kept.
QWEN3 = """{%- if tools %}
{{- '<|im_start|>system\\n' + (messages[0].content + '\\n\\n' if messages[0].role == 'system' else '') }}
{{- '# Tools\\n\\n<tools>' }}{% for t in tools %}{{ '\\n' }}{{ t | tojson }}{% endfor %}{{ '\\n</tools><|im_end|>\\n' }}
{%- elif messages[0].role == 'system' %}{{ '<|im_start|>system\\n' + messages[0].content + '<|im_end|>\\n' }}{% endif %}
{%- set ns = namespace(question=messages | length - 1, looking=true) %}
{%- for m in messages[::-1] %}{% set i = messages | length - 1 - loop.index0 %}
{%- if ns.looking and m.role == 'user' and m.content is string and not (m.content.startswith('<tool_response>')
      and m.content.endswith('</tool_response>')) %}{% set ns.looking = false %}{% set ns.question = i %}{% endif %}
{%- endfor %}
{%- for m in messages %}
{%- set content = m.content if m.content is string else '' %}
{%- if m.role == 'user' or (m.role == 'system' and not loop.first) %}
{{- '<|im_start|>' + m.role + '\\n' + content + '<|im_end|>\\n' }}
{%- elif m.role == 'assistant' %}
{%- set thought = '' %}
{%- if m.reasoning_content is string %}{% set thought = m.reasoning_content %}
{%- elif '</think>' in content %}
{%- set thought = content.split('</think>')[0].rstrip('\\n').split('<think>')[-1].lstrip('\\n') %}
{%- set content = content.split('</think>')[-1].lstrip('\\n') %}
{%- endif %}
{{- '<|im_start|>assistant\\n' }}
{%- if loop.index0 > ns.question and (loop.last or thought) %}
{{- '<think>\\n' + thought.strip('\\n') + '\\n</think>\\n\\n' }}{% endif %}
{{- content.lstrip('\\n') if loop.index0 > ns.question else content }}
{%- for c in m.tool_calls or [] %}
{%- if (loop.first and content) or not loop.first %}{{ '\\n' }}{% endif %}
{%- set f = c.function or c %}
{{- '<tool_call>\\n{"name": "' }}{{ f.name }}{{ '", "arguments": ' }}
{%- if f.arguments is string %}{{ f.arguments }}{% else %}{{ f.arguments | tojson }}{% endif %}{{ '}\\n</tool_call>' }}
{%- endfor %}{{ '<|im_end|>\\n' }}
{%- elif m.role == 'tool' %}
{%- if loop.first or messages[loop.index0 - 1].role != 'tool' %}{{ '<|im_start|>user' }}{% endif %}
{{- '\\n<tool_response>\\n' + content + '\\n</tool_response>' }}
{%- if loop.last or messages[loop.index0 + 1].role != 'tool' %}{{ '<|im_end|>\\n' }}{% endif %}
{%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}
{%- if enable_thinking is defined and enable_thinking is false %}{{ '<think>\\n\\n</think>\\n\\n' }}{% endif %}{% endif %}
"""
# As before, but tools come before the system text, calls are XML and the prompt opens the thoughts.
QWEN35 = """{%- macro text_of(content) %}
{%- if content is string %}{{ content | trim }}
{%- elif content is iterable and content is not mapping %}{% for p in content %}{{ p.text }}{% endfor %}
{%- elif content is none or content is undefined %}
{%- else %}{{ raise_exception('what content is this?') }}{% endif %}
{%- endmacro %}
{%- if not messages %}{{ raise_exception('no messages') }}{% endif %}
{%- set system = text_of(messages[0].content) if messages[0].role == 'system' else '' %}
{%- if tools and tools is iterable and tools is not mapping %}
{{- '<|im_start|>system\\n# Tools\\n\\n<tools>' }}
{%- for t in tools %}{{ '\\n' ~ (t | tojson) }}{% endfor %}{{ '\\n</tools>' ~ ('\\n\\n' ~ system if system) ~ '<|im_end|>\\n' }}
{%- elif system %}{{ '<|im_start|>system\\n' ~ system ~ '<|im_end|>\\n' }}{% endif %}
{%- for m in messages %}{% set content = text_of(m.content) %}
{%- if m.role == 'user' %}{{ '<|im_start|>user\\n' ~ content ~ '<|im_end|>\\n' }}
{%- elif m.role == 'assistant' %}
{{- '<|im_start|>assistant\\n<think>\\n' ~ (m.reasoning_content | default('') | trim) ~ '\\n</think>\\n\\n' ~ content }}
{%- if m.tool_calls and m.tool_calls is iterable %}{% for c in m.tool_calls %}{% set f = c.function | default(c) %}
{{- ('\\n\\n' if loop.first and content else '' if loop.first else '\\n') ~ '<tool_call>\\n<function=' ~ f.name ~ '>\\n' }}
{%- for k, v in f.arguments | items %}
{{- '<parameter=' ~ k ~ '>\\n' ~ (v | string if v is string else v | tojson) ~ '\\n</parameter>\\n' }}
{%- endfor %}{{ '</function>\\n</tool_call>' }}{% endfor %}{% endif %}{{ '<|im_end|>\\n' }}
{%- elif m.role == 'tool' %}
{%- if loop.previtem and loop.previtem.role != 'tool' %}{{ '<|im_start|>user' }}{% endif %}
{{- '\\n<tool_response>\\n' ~ content ~ '\\n</tool_response>' }}
{%- if not loop.last and loop.nextitem.role != 'tool' or loop.last %}{{ '<|im_end|>\\n' }}{% endif %}
{%- elif m.role != 'system' %}{{ raise_exception('role ' ~ m.role) }}{% endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{ '<|im_start|>assistant\\n<think>\\n' }}
{%- if enable_thinking is defined and not enable_thinking %}{{ '\\n</think>\\n\\n' }}{% endif %}{% endif %}
"""
INTERN_S1 = """{% set sentence = 'You are an expert reasoner. Please put your thinking within <think>...</think> tags.' %}
{% set thinking = enable_thinking is not defined or enable_thinking %}
{%- set has_system = messages[0].role == 'system' -%}
{%- if has_system or tools or thinking -%}
<|im_start|>system
{{ messages[0].content if has_system else (sentence if thinking) }}
{%- if tools %}

Your response should consist of a thought and <|action_start|><|plugin|>
{"name": ..., "parameters": {...}}
<|action_end|>

# External Tools
{{ tools | tojson(indent=2) }}
{%- endif %}<|im_end|>
{% endif -%}
{%- for m in messages if m.role != 'system' or not loop is defined -%}
{%- if m.role in ['tool', 'environment'] -%}
<|im_start|>environment name={{ m.name if m.name in ('<|plugin|>', '<|interpreter|>') else '<|plugin|>' }}
{{ m.content }}<|im_end|>
{% else -%}
<|im_start|>{{ m.role }}
{{ m.content.split('</think>') | last | trim if m.role == 'assistant' else m.content }}
{%- for c in m.tool_calls | default([], true) %}<|action_start|><|plugin|>
{{ {'name': c.function.name, 'parameters': c.function.arguments} | tojson }}
<|action_end|>{% endfor %}<|im_end|>
{% endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}
<|im_start|>assistant
{{ '<think>' if thinking }}
{%- endif %}"""
LLAMA3 = """{{- bos_token }}
{%- set date = strftime_now is defined and 'a day' or 'no day' %}
{%- if messages[0]['role'] == 'system' %}{%- set system = messages[0]['content'] | trim %}{%- set messages = messages[1:] %}
{%- else %}{%- set system = "" %}{%- endif %}
{{- "<|start_header_id|>system<|end_header_id|>\\n\\n" }}
{%- if tools is not none and tools is defined %}{{- "Environment: ipython\\n" }}
{%- for t in tools %}{{- t | tojson(indent=4) }}{{- "\\n\\n" }}{%- endfor %}{%- endif %}
{{- "Today: " + date + "\\n\\n" + system + "<|eot_id|>" }}
{%- for message in messages %}
{%- if not (message.role == 'ipython' or message.role == 'tool' or 'tool_calls' in message) %}
{{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n' + message['content'] | trim + '<|eot_id|>' }}
{%- elif 'tool_calls' in message %}
{%- if not message.tool_calls | length == 1 %}{{- raise_exception("one call at a time") }}{%- endif %}
{%- set call = message.tool_calls[0].function %}
{{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n{"name": "' + call.name + '", "parameters": ' }}
{{- call.arguments | tojson }}{{- "}<|eot_id|>" }}
{%- else %}{{- "<|start_header_id|>ipython<|end_header_id|>\\n\\n" }}
{%- if message.content is mapping or message.content is iterable %}{{- message.content | tojson }}
{%- else %}{{- message.content }}{%- endif %}{{- "<|eot_id|>" }}
{%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{%- endif %}
"""
MISTRAL = """{%- if messages[0]["role"] == "system" %}
    {%- set system_message = messages[0]["content"] %}{%- set loop_messages = messages[1:] %}
{%- else %}{%- set loop_messages = messages %}{%- endif %}
{{- bos_token }}
{%- for message in loop_messages %}
    {%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}
        {{- raise_exception('roles must alternate') }}
    {%- endif %}
    {%- if message["role"] == "user" %}
        {%- if loop.last and system_message is defined %}
            {{- "[INST] " + system_message + "\\n\\n" + message["content"] + "[/INST]" }}
        {%- else %}{{- "[INST] " + message["content"] + "[/INST]" }}{%- endif %}
    {%- elif message["role"] == "assistant" %}{{- " " + message["content"] | trim + eos_token }}
    {%- else %}{{- raise_exception("no such role") }}{%- endif %}
{%- endfor %}
"""

MESSAGES = [
    [{"role": "user", "content": "Hello"}],
    [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "What is 2+2?"}],
    [{"role": "user", "content": "a\n\nb  "}, {"role": "assistant", "content": " c"},
     {"role": "user", "content": "什么是量子力学？ \\n 'x' \"y\" {{ z }} {% if %}"}],
    [{"role": "user", "content": ""}],
]
TOOLS = [{"type": "function", "function": {
    "name": "find", "description": "Finds \"passages\" <b>& é", "parameters": {
        "type": "object", "properties": {"text": {"type": "string"}, "n": {"type": "integer", "default": 3}},
        "required": ["text"]}}}]
THOUGHTS = MESSAGES[1] + [
    {"role": "assistant", "content": "<think>\nsum\n</think>\n\n4"}, {"role": "user", "content": "And 3+3?"},
    {"role": "assistant", "content": "6", "reasoning": "again\na sum"}]
CALLS = MESSAGES[1] + [
    {"role": "assistant", "content": "I look.", "reasoning": "look\n", "tool_calls": [
        {"id": "call_1", "type": "function", "function": {"name": "find", "arguments": {"text": "2+2", "n": 5}}}]},
    {"role": "tool", "content": "[\"four\"]", "name": "find", "tool_call_id": "call_1"}]
MORE_CALLS = CALLS[:2] + [
    {"role": "assistant", "content": "", "tool_calls": [
        {"name": "find", "arguments": "{\"text\": \"é\\n\"}"}, {"name": "find", "arguments": {"text": "[1]"}}]},
    {"role": "tool", "content": "one"}, {"role": "tool", "content": "two"}, {"role": "assistant", "content": "Done."},
    {"role": "user", "content": "Thanks."}]
TEMPLATES = {"qwen25": QWEN25, "qwen3": QWEN3, "qwen35": QWEN35, "intern_s1": INTERN_S1, "llama3": LLAMA3,
             "mistral": MISTRAL}


def for_template(message):
    """As engine_chat_render hands messages to a template."""
    message = copy.deepcopy(message)
    if "reasoning" in message:
        message["reasoning_content"] = message.pop("reasoning")
    for i, call in enumerate(message.get("tool_calls", [])):
        function = call.get("function", call)
        arguments = function["arguments"]
        if isinstance(arguments, str):
            arguments = json.loads(arguments)
        uniform = {"type": "function", "function": {"name": function["name"], "arguments": arguments}}
        if "id" in call:
            uniform["id"] = call["id"]
        message["tool_calls"][i] = uniform
    return message


def case(name, source, messages, prompt=True, tools=None, thinking=None):
    context = {"messages": [for_template(m) for m in messages], "add_generation_prompt": prompt, "bos_token": "",
               "eos_token": "<|endoftext|>"}
    if tools is not None:
        context["tools"] = tools
    if thinking is not None:
        context["enable_thinking"] = thinking
    out = {"name": name, "messages": messages, "prompt": prompt}
    if tools is not None:
        out["tools"] = tools
    if thinking is not None:
        out["thinking"] = thinking
    try:
        out["text"] = _compile_jinja_template(source).render(**context)
    except Exception as e:  # noqa: raised by the template
        out["exception"] = str(e)
    return out


def main():
    reader = gguf.GGUFReader(os.path.join(sys.argv[1], "SmolLM2-135M-Instruct.Q4_1.gguf"))
    smollm2 = reader.fields["tokenizer.chat_template"].contents()
    cases = []
    for name, source in (("smollm2", smollm2), ("plain", PLAIN), ("dotted", DOTTED)):
        for messages in MESSAGES:
            cases += [case(name, source, messages, prompt) for prompt in (False, True)]
    for name, source in TEMPLATES.items():
        for messages in [*MESSAGES[:3], THOUGHTS, CALLS, MORE_CALLS]:
            cases.append(case(name, source, messages))
            if "tools" not in source:
                continue
            cases.append(case(name, source, messages, tools=TOOLS))
            cases += [case(name, source, messages, thinking=t) for t in (False, True) if "thinking" in source]
    with open(os.path.join(DATA, "chat_cases.json"), "w", encoding="utf-8") as f:
        templates = {"smollm2": smollm2, "plain": PLAIN, "dotted": DOTTED, **TEMPLATES}
        json.dump({"templates": templates, "cases": cases}, f, ensure_ascii=False, indent=0)
        f.write("\n")
    print(len(cases), "cases,", sum("exception" in c for c in cases), "exceptions")
    for c in cases:
        if "exception" in c:
            print("   ", c["name"], c["exception"])


if __name__ == "__main__":
    main()
