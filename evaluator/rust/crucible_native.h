// C interface of the Rust libraries that the evaluator uses (src/ implements it; keep the two together):
// Hugging Face `tokenizers`, Jinja templates, `parquet`, `langdetect`.
//
// Text is UTF-8 with an explicit length and may hold NUL bytes. Memory that a function hands out is given
// back by crucible_native_release. Functions that can fail take `error`: on failure it is set to a message
// to release, on success to NULL. No exception or panic leaves a function.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// Frees ids, text or a message handed out below. NULL is allowed.
void crucible_native_release(void* memory);

// Tokenizers. Any number of threads may use one at once, except to free it.
typedef struct crucible_tokenizer crucible_tokenizer;

// Reads the content of a tokenizer.json. Its truncation and padding settings are dropped: encoding
// always gives every id and nothing else. NULL on failure.
crucible_tokenizer* crucible_tokenizer_load(const char* json, size_t length, char** error);
void crucible_tokenizer_free(crucible_tokenizer* tokenizer);

// The ids of `text`; with `add_special` also those the post-processor adds (BOS, EOS). Special tokens
// spelled out in the text become their ids either way. False on failure.
bool crucible_tokenizer_encode(const crucible_tokenizer* tokenizer, const char* text, size_t length,
                               bool add_special, uint32_t** ids, size_t* count, char** error);

// The text of `ids`, NUL-terminated, its length without that in `length`. Ids outside the vocabulary are
// left out. NULL on failure.
char* crucible_tokenizer_decode(const crucible_tokenizer* tokenizer, const uint32_t* ids, size_t count,
                                bool skip_special, size_t* length, char** error);

// The id of a token as the vocabulary spells it, or -1.
int64_t crucible_tokenizer_token_to_id(const crucible_tokenizer* tokenizer, const char* token,
                                       size_t length);

// The spelling of an id, NUL-terminated, or NULL when there is none.
char* crucible_tokenizer_id_to_token(const crucible_tokenizer* tokenizer, uint32_t id, size_t* length);

size_t crucible_tokenizer_vocab_size(const crucible_tokenizer* tokenizer, bool with_added);

// Jinja templates. Any number of threads may use one at once, except to free it.
typedef struct crucible_template crucible_template;

// Of one rendering: instructions, bytes written, bytes of all values made.
typedef struct {
  uint64_t steps;
  uint64_t output_bytes;
  uint64_t memory_bytes;
} crucible_template_budget;

// `chat`: the dialect of transformers' chat templates, else of lm-evaluation-harness. NULL on failure.
crucible_template* crucible_template_compile(const char* source, size_t length, bool chat, char** error);
void crucible_template_free(crucible_template* tmpl);

// The text, NUL-terminated, its length without that in `length`; `variables` is a JSON object. NULL on
// failure, and `over_budget` says whether the budget was the reason.
char* crucible_template_render(const crucible_template* tmpl, const char* variables,
                               size_t variables_length, const crucible_template_budget* budget,
                               size_t* length, bool* over_budget, char** error);

// A Python literal as JSON text, as ast.literal_eval reads it; tuples and sets become lists. NULL on
// failure.
char* crucible_python_literal(const char* text, size_t text_length, size_t* length, char** error);

// str() or repr() of a JSON value as Python prints it. NULL on failure.
char* crucible_python_print(const char* json, size_t json_length, bool repr, size_t* length, char** error);

// Parquet files. One thread at a time.
typedef struct crucible_parquet crucible_parquet;

// A file that unpacks to more than `max_bytes` is refused. NULL on failure.
crucible_parquet* crucible_parquet_open(const char* path, size_t length, uint64_t max_bytes, char** error);
void crucible_parquet_free(crucible_parquet* reader);

// The next rows as the text of a JSON array of objects; empty at the end. NULL on failure.
char* crucible_parquet_next(crucible_parquet* reader, size_t max_rows, size_t* length, char** error);

// The language that langdetect 1.0.9 finds ("de", "zh-cn", "unknown"). NULL when it finds nothing to go
// by.
char* crucible_detect_language(const char* text, size_t text_length, size_t* length, char** error);

#ifdef __cplusplus
}
#endif
