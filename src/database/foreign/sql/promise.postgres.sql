UPDATE aside_listening
    SET alive = clock_timestamp(), until = clock_timestamp() + interval '2 s'
    WHERE until < clock_timestamp() + interval '1 s'
