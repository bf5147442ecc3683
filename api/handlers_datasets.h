// Lists, tables and the edits of both: requests to port calls. What the two have in common has one handler, which sees by the path which
// of them is asked. Threads: called on an io thread; never waits.
#pragma once

#include "api/http.h"

namespace api {

void get_datasets(HttpRequest& request, Backend& backend, Responder respond);
void get_dataset(HttpRequest& request, Backend& backend, Responder respond);
void put_dataset(HttpRequest& request, Backend& backend, Responder respond);
void post_dataset(HttpRequest& request, Backend& backend, Responder respond);
void get_dataset_entry(HttpRequest& request, Backend& backend, Responder respond);
void put_dataset_entry(HttpRequest& request, Backend& backend, Responder respond);
void delete_dataset_entry(HttpRequest& request, Backend& backend, Responder respond);
void get_edits(HttpRequest& request, Backend& backend, Responder respond);

}  // namespace api
