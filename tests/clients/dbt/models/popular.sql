select content_id, title, unique_users, average_rating
from {{ source('space', 'content_metrics') }}
where unique_users > 1
