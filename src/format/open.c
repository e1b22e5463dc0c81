/* Which format a model is in. */
#include "format/internal.h"

enum qn_status qn_directory_open(struct qn_directory *out, struct qn_arena *arena,
                                 const struct qn_files *files, struct qn_str main,
                                 struct qn_error *err) {
    if (main.n != 0)
        return qn_gguf_read(out, arena, files, main, err);
    uint64_t size;
    enum qn_status status = files->size(files->ud, &size, QN_STR("mlc-chat-config.json"));
    if (status == QN_OK)
        return qn_mlc_read(out, arena, files, err);
    if (status == QN_E_NOT_FOUND)
        status = files->size(files->ud, &size, QN_STR("config.json"));
    if (status == QN_OK)
        return qn_safetensors_read(out, arena, files, err);
    if (status == QN_E_NOT_FOUND)
        return qn_fail(err, status, "the folder has neither config.json nor mlc-chat-config.json");
    return qn_fail(err, status, "cannot look for config.json");
}

enum qn_status qn_directory_open_text(struct qn_directory *out, struct qn_arena *arena,
                                      const struct qn_files *files, struct qn_str main,
                                      struct qn_error *err) {
    if (main.n != 0)
        return qn_directory_open(out, arena, files, main, err);
    *out = (struct qn_directory){.format = QN_FORMAT_SAFETENSORS, .arena = arena};
    QN_TRY(qn_directory_document(&out->config, arena, files, QN_STR("mlc-chat-config.json"), false,
                                 err));
    if (out->config.n_nodes != 0)
        out->format = QN_FORMAT_MLC;
    else
        QN_TRY(
            qn_directory_document(&out->config, arena, files, QN_STR("config.json"), false, err));
    return qn_directory_side_documents(out, arena, files, err);
}
