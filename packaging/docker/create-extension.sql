create extension cotaste;
select cotaste_init();
