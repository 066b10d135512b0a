#!/usr/bin/env python3
"""Records what Jinja makes of chat templates and messages, into tests/data/engine/chat_cases.json.

    python3 chat_record.py MODELS      (needs: pip install jinja2 gguf; MODELS as LODE_MODELS)

The templates: that of SmolLM2 as its GGUF file carries it, and two of the same family in other spellings."""
import json
import os
import sys

import gguf
import jinja2

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
MESSAGES = [
    [{"role": "user", "content": "Hello"}],
    [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "What is 2+2?"}],
    [{"role": "user", "content": "a\n\nb  "}, {"role": "assistant", "content": " c"},
     {"role": "user", "content": "什么是量子力学？ \\n 'x' \"y\" {{ z }} {% if %}"}],
    [{"role": "user", "content": ""}],
]


def main():
    reader = gguf.GGUFReader(os.path.join(sys.argv[1], "SmolLM2-135M-Instruct.Q4_1.gguf"))
    smollm2 = reader.fields["tokenizer.chat_template"].contents()
    env = jinja2.Environment(trim_blocks=True, lstrip_blocks=True)
    cases = []
    for name, source in (("smollm2", smollm2), ("plain", PLAIN), ("dotted", DOTTED)):
        template = env.from_string(source)
        for messages in MESSAGES:
            for prompt in (False, True):
                cases.append({"name": name, "template": source, "messages": messages, "prompt": prompt,
                              "text": template.render(messages=messages, add_generation_prompt=prompt)})
    with open(os.path.join(DATA, "chat_cases.json"), "w", encoding="utf-8") as f:
        json.dump(cases, f, ensure_ascii=False, indent=1)
        f.write("\n")
    print(len(cases), "cases")


if __name__ == "__main__":
    main()
